//! Threads that share the work of a training step.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::memory::reserve;

/// Additions below which work is done by the calling thread alone.
///
/// To wake a thread and to wait for it takes some ten microseconds, in which a core makes about a million
/// additions in wide registers; where it saves less than that several times over, a second one only slows.
const WORTHWHILE: u128 = 4_000_000;

/// How often to look whether the other threads are done before going to sleep.
const SPINS: usize = 1_000;

/// Address space for a thread: its stack, and what the C library sets aside for its allocations, 128 MiB in glibc.
///
/// A thread that cannot have it may abort the program before it comes to any code of ours.
const BYTES_PER_THREAD: usize = 136 << 20;

/// A pool whose threads are started when the first work comes that is worth it, and then kept.
pub struct Threads {
    count: usize,
    worthwhile: u128,
    pool: Option<ThreadPool>,
}

impl Threads {
    /// As many as were asked for, but no more than the machine runs at once, and one for small work.
    pub fn up_to(count: u64) -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let count = usize::try_from(count).map_or(cores, |count| count.clamp(1, cores));
        Self { count, worthwhile: WORTHWHILE, pool: None }
    }

    /// As many as were asked for whatever the machine and the work; for tests.
    pub fn exactly(count: usize) -> Self {
        Self { count, worthwhile: 0, pool: None }
    }

    /// The most threads that `share` uses.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether so many additions are worth more than one thread.
    pub fn worth_sharing(&self, additions: u128) -> bool {
        self.count > 1 && additions >= self.worthwhile
    }

    /// Call `work` on each of the workspaces at the same time, and wait for all.
    ///
    /// Where the system gives no more threads they are taken one after the other.
    pub fn share<W: Send>(&mut self, workspaces: &mut [W], work: impl Fn(&mut W) + Sync) {
        let Some((own, others)) = workspaces.split_first_mut() else { return };
        if self.pool.is_none() {
            self.pool = start(self.count - 1);
        }
        let Some(pool) = &self.pool else {
            // It would be no better next time.
            self.count = 1;
            work(own);
            others.iter_mut().for_each(work);
            return;
        };
        let busy = AtomicUsize::new(others.len());
        pool.in_place_scope(|scope| {
            for workspace in others {
                scope.spawn(|_| {
                    work(workspace);
                    busy.fetch_sub(1, Ordering::Release);
                });
            }
            work(own);
            // The others are about to end too; to be put to sleep and woken would take longer.
            for _ in 0..SPINS {
                if busy.load(Ordering::Acquire) == 0 {
                    break;
                }
                std::hint::spin_loop();
            }
        });
    }
}

/// A pool of so many threads; none if the system does not give them.
fn start(count: usize) -> Option<ThreadPool> {
    // One by one: a system may refuse at once what it grants in parts.
    let space: Result<Vec<_>, _> = (0..count).map(|_| reserve(BYTES_PER_THREAD)).collect();
    drop(space.ok()?);
    ThreadPoolBuilder::new().num_threads(count).build().ok()
}
