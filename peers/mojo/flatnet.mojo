"""The network of docs/contender.md in Mojo, naive and backprop: the lanes of a vector have the sums of different rows.

Built by `mojo build --fp-mode contract=off`: by default Mojo fuses a product with an addition. Every sum runs from
left to right, so the losses are Python's to the last bit.
"""

from std.ffi import external_call
from std.math import isfinite
from std.memory import bitcast
from std.sys import argv, exit, get_defined_string, simd_width_of, stderr
from std.time import perf_counter_ns

comptime W = simd_width_of[DType.float64]()
comptime PANEL = 4 * W  # rows side by side: while one sum waits for its last addition, others are added
comptime BATCH = 4  # samples side by side in the overall loss: each weight is loaded once for all of them
comptime HELD_BACK_NS = 50_000_000
comptime Values = Pointer[Float64, MutUntrackedOrigin]


def values(count: Int) raises -> Values:
    """Return zeros that live as long as the program; behind them are more, which a vector may reach."""
    var size = (count + W + 7) // 8 * 64
    # Where Mojo's own allocation fails, it aborts.
    var address = external_call["aligned_alloc", Int](64, size)
    if not address:
        raise Error("out of memory; use smaller layers or fewer samples")
    var memory = Values(unsafe_from_address=address)
    for i in range(size // 8):
        memory[unsafe_offset=i] = 0.0
    return memory


struct Random:
    """MT19937, seeded as by init_by_array with the words of the seed (Matsumoto & Nishimura, 1998)."""

    var state: List[UInt32]
    var used: Int

    def __init__(out self, seed: UInt64):
        var key: List[UInt32] = [UInt32(seed & 0xFFFFFFFF), UInt32(seed >> 32)]
        var length = 2 if key[1] else 1
        self.state = [19650218]
        self.used = 624
        for i in range(1, 624):
            var last = self.state[i - 1]
            self.state.append(1812433253 * (last ^ (last >> 30)) + UInt32(i))
        var i = 1
        for k in range(624 + 623):
            var last = self.state[i - 1]
            var mixed = last ^ (last >> 30)
            if k < 624:
                self.state[i] = (self.state[i] ^ (mixed * 1664525)) + key[k % length] + UInt32(k % length)
            else:
                self.state[i] = (self.state[i] ^ (mixed * 1566083941)) - UInt32(i)
            i += 1
            if i == 624:
                self.state[0] = self.state[623]
                i = 1
        self.state[0] = 0x80000000

    def word(mut self) -> UInt32:
        if self.used == 624:
            for i in range(624):
                var mixed = (self.state[i] & 0x80000000) | (self.state[(i + 1) % 624] & 0x7FFFFFFF)
                var odd = UInt32(0x9908B0DF) if mixed & 1 else UInt32(0)
                self.state[i] = self.state[(i + 397) % 624] ^ (mixed >> 1) ^ odd
            self.used = 0
        var y = self.state[self.used]
        self.used += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)

    def uniform(mut self, low: Float64, high: Float64) -> Float64:
        var a = Float64(self.word() >> 5)
        var b = Float64(self.word() >> 6)
        return low + (high - low) * ((a * 67108864.0 + b) / 9007199254740992.0)


struct Layer(Copyable):
    """Weights in panels of as many rows as `width` says, each column by column; the bias is before them.

    So the weights that meet one input are whole vectors, and a pass over all of them is one through the memory. For
    that the rows are padded. A single row is not: it has its columns in the lanes, except where they are summed.
    """

    var columns: Int
    var rows: Int
    var padded: Int
    var w: Values
    var x: Values  # the outputs
    var batch: Values  # the outputs of each sample of a batch
    var delta: Values

    def __init__(out self, columns: Int, rows: Int) raises:
        self.columns = columns
        self.rows = rows
        self.padded = 1 if rows == 1 else (rows + W - 1) // W * W
        # The bias has a cache line to itself, so that the weights begin with one.
        self.w = values(8 + (columns + W) * self.padded).unsafe_offset(8)
        self.x = values(self.padded)
        self.batch = values(BATCH * self.padded)
        self.delta = values(self.padded)

    def width(self, first: Int) -> Int:
        """Return how many rows the panel has that begins with row `first`."""
        var left = self.padded - first
        return PANEL if left >= PANEL else 2 * W if left >= 2 * W else W if left >= W else 1

    def first(self, i: Int) -> Int:
        """Return the first row of the panel that has row `i`."""
        var first = i // PANEL * PANEL
        while i >= first + self.width(first):
            first += self.width(first)
        return first

    def weight(self, i: Int, j: Int) -> Values:
        var first = self.first(i)
        return self.w.unsafe_offset(first * self.columns + j * self.width(first) + i - first)

    def bias(self) -> Values:
        return self.w.unsafe_offset(-1)

    @always_inline
    def outputs[samples: Int](self) -> Values:
        return self.x if samples == 1 else self.batch

    @always_inline
    def forward[
        samples: Int, update: Bool = False
    ](self, x: Values, stride: Int, last: Optional[Values] = None, rate: Float64 = 0.0):
        """Set the outputs for samples that are `stride` apart, after the update for the sample `last`, if any."""
        var first = 0
        while first < self.padded:
            var width = self.width(first)
            if width == PANEL:
                self.panel[PANEL, samples, update](first, x, stride, last, rate)
            elif width == 2 * W:
                self.panel[2 * W, samples, update](first, x, stride, last, rate)
            elif width == W:
                self.panel[W, samples, update](first, x, stride, last, rate)
            else:
                self.panel[1, samples, update](first, x, stride, last, rate)
            first += width

    @always_inline
    def panel[
        width: Int, samples: Int, update: Bool
    ](self, first: Int, x: Values, stride: Int, last: Optional[Values], rate: Float64):
        var w = self.w.unsafe_offset(first * self.columns)
        var delta = self.delta.unsafe_load[width=width](first)
        var totals = Array[SIMD[DType.float64, width], samples](fill=0.0)
        for j in range(self.columns):
            var weights = w.unsafe_load[width=width](j * width)
            comptime if update:
                weights -= rate * (delta * last.unsafe_value()[unsafe_offset=j])
                w.unsafe_store(j * width, weights)
            comptime for s in range(samples):
                totals[s] += x[unsafe_offset=s * stride + j] * weights
        comptime for s in range(samples):
            self.outputs[samples]().unsafe_store(s * self.padded + first, totals[s] + self.bias()[])

    @always_inline
    def backward(self, previous: Self, rate: Float64):
        """Set the deltas of the layer before, and take the update."""
        for j in range(0, self.columns, W):
            var total = SIMD[DType.float64, W](0.0)
            if self.rows == 1:
                var weights = self.w.unsafe_load[width=W](j)
                total += self.delta[] * weights
                weights -= rate * (self.delta[] * previous.x.unsafe_load[width=W](j))
                self.w.unsafe_store(j, weights)
            else:
                for i in range(self.rows):
                    var weights = self.weight(i, j).unsafe_strided_load[width=W](self.width(self.first(i)))
                    total += self.delta[unsafe_offset=i] * weights
            previous.delta.unsafe_store(j, total)
        if self.rows > 1:
            self.forward[0, True](previous.x, 0, previous.x, rate)
        self.update_bias(rate)

    @always_inline
    def update_bias(self, rate: Float64):
        var slope = 0.0
        for i in range(self.rows):
            slope += self.delta[unsafe_offset=i]
        self.bias()[] -= rate * slope


struct Network:
    var layers: List[Layer]
    var parameters: List[Values]  # in the order in which they are drawn
    var slopes: List[Float64]

    def __init__(out self, sizes: List[Int]) raises:
        self.layers = []
        self.parameters = []
        self.slopes = []
        for k in range(1, len(sizes)):
            var layer = Layer(sizes[k - 1], sizes[k])
            for i in range(layer.rows):
                for j in range(layer.columns):
                    self.parameters.append(layer.weight(i, j))
            self.layers.append(layer^)
        for ref layer in self.layers:
            self.parameters.append(layer.bias())

    def draw(self, mut random: Random):
        for p in self.parameters:
            p[] = random.uniform(-1.0, 1.0)

    @always_inline
    def forward[samples: Int, known: Int = 0](self, x: Values) -> Values:
        """Return the outputs for samples that follow one another; the first layers' may be `known`."""
        var inputs = self.layers[known - 1].x if known else x
        var stride = self.layers[0].columns
        for k in range(known, len(self.layers)):
            ref layer = self.layers[k]
            layer.forward[samples](inputs, stride)
            inputs = layer.outputs[samples]()
            stride = layer.padded
        return inputs

    @always_inline
    def loss[batch: Int](self, inputs: Values, targets: Values, samples: Int) -> Float64:
        ref last = self.layers[len(self.layers) - 1]
        var total = 0.0
        for s in range(0, samples, batch):
            var outputs = self.forward[batch](inputs.unsafe_offset(s * self.layers[0].columns))
            for t in range(min(batch, samples - s)):
                for i in range(last.rows):
                    var target = targets[unsafe_offset=(s + t) * last.rows + i]
                    var d = target - outputs[unsafe_offset=t * last.padded + i]
                    total += d * d
        return total / Float64(samples * last.rows)

    def step_naive(mut self, x: Values, target: Values, h: Float64, rate: Float64):
        self.slopes.clear()
        for p in self.parameters:
            var value = p[]
            p[] = value + h
            var up = self.loss[1](x, target, 1)
            p[] = value - h
            var down = self.loss[1](x, target, 1)
            p[] = value
            self.slopes.append((up - down) / (2.0 * h))
        for k in range(len(self.slopes)):
            self.parameters[k][] -= rate * self.slopes[k]

    def step_backprop(self, x: Values, target: Values, next: Values, rate: Float64):
        """Take a step for a sample that the first layer has its outputs for, and set them for the next one."""
        var output = self.forward[1, known=1](x)
        ref first = self.layers[0]
        ref last = self.layers[len(self.layers) - 1]
        for i in range(last.rows):
            var d = output[unsafe_offset=i] - target[unsafe_offset=i]
            last.delta[unsafe_offset=i] = 2.0 * d / Float64(last.rows)
        for k in range(len(self.layers) - 1, 0, -1):
            self.layers[k].backward(self.layers[k - 1], rate)
        first.update_bias(rate)
        first.forward[1, update=True](next, 0, x, rate)


def number(value: Float64) raises -> String:
    """Return the fewest digits that read back to the same bits, laid out as Python does.

    Mojo's own text is that (as of 1.2.0) unless two are equally near, or one is halfway to the next number: then
    the number is large, or its last bits are zeros.
    """
    var text = String(value)
    if not isfinite(value) or (value < 1e13 and bitcast[DType.uint64](value) & 15):
        return text
    if value < 1e16 and Float64(Int(value)) == value:
        return String(Int(value)) + ".0"
    var memory = Array[UInt8, 32](fill=0)
    for digits in range(1, 18):
        _ = external_call["gcvt", Int](value, Int32(digits), memory.unsafe_ptr())
        var nearest = String(unsafe_from_utf8_ptr=memory.unsafe_ptr())
        if Float64(nearest) != value:
            continue
        if digits == 17 and "." not in nearest:
            nearest = nearest[byte=:1] + "." + nearest[byte=1:] + "e+16"
        # Below a power of two numbers are closer together, so the nearest text may need one digit more.
        var shorter = text.byte_length() < nearest.byte_length() and Float64(text) == value
        return text if shorter else nearest
    return text


def seed_of(text: String) raises -> UInt64:
    """Return the number of 64 bits; an Int has 63."""
    var seed = UInt64(0)
    for digit in text.as_bytes():
        if digit < 48 or digit > 57:
            raise Error("--seed takes a number")
        seed = seed * 10 + UInt64(digit - 48)
    return seed


def print_peak_memory() raises:
    with open("/proc/self/status", "r") as status:
        for line in status.read().split("\n"):
            if line.startswith("VmHWM:"):
                print("Peak Memory:", Int(line.split()[1]) * 1024, "B", file=stderr)


def run() raises:
    var options: Dict[String, String] = {
        "--method": "naive",
        "--samples": "100",
        "--epochs": "100",
        "--step": "0.1",
        "--learning-rate": "0.01",
        "--low": "0.0",
        "--high": "1.0",
        "--seed": "1",
    }
    var sizes = List[Int]()
    for word in argv()[1:]:
        if word == "--version":
            print("flatnet in", get_defined_string["VERSION"]())
            return
        if not word.startswith("--"):
            sizes.append(Int(word))
            if sizes[len(sizes) - 1] < 1:
                raise Error("LAYERS takes positive sizes")
            continue
        var parts = word.split("=", 1)
        if len(parts) < 2 or String(parts[0]) not in options:
            raise Error("unknown option ", word)
        options[String(parts[0])] = String(parts[1])
    var backprop = options["--method"] == "backprop"
    if not backprop and options["--method"] != "naive":
        raise Error("--method takes naive or backprop")
    var samples = Int(options["--samples"])
    var epochs = Int(options["--epochs"])
    var h = Float64(options["--step"])
    var rate = Float64(options["--learning-rate"])
    var low = Float64(options["--low"])
    var high = Float64(options["--high"])
    var random = Random(seed_of(options["--seed"]))
    if len(sizes) < 2 or samples < 1:
        raise Error("takes two or more layer sizes and one or more samples")

    var features = sizes[0]
    var outputs = sizes[len(sizes) - 1]
    var inputs = values((samples + BATCH) * features)
    var targets = values(samples * outputs)
    var net = Network(sizes)
    for i in range(samples * features):
        inputs[unsafe_offset=i] = random.uniform(low, high)
    net.draw(random)
    for s in range(samples):
        var output = net.forward[1](inputs.unsafe_offset(s * features))
        for i in range(outputs):
            targets[unsafe_offset=s * outputs + i] = output[unsafe_offset=i]
    net.draw(random)

    var loss = net.loss[BATCH](inputs, targets, samples)
    print("Initial Loss:", number(loss))
    var held_back = String()
    var start = perf_counter_ns()
    var flushed = start
    net.layers[0].forward[1](inputs, 0)
    for epoch in range(1, epochs + 1):
        for s in range(samples):
            var x = inputs.unsafe_offset(s * features)
            var target = targets.unsafe_offset(s * outputs)
            if backprop:
                var next = inputs.unsafe_offset((s + 1) % samples * features)
                net.step_backprop(x, target, next, rate)
            else:
                net.step_naive(x, target, h, rate)
        loss = net.loss[BATCH](inputs, targets, samples)
        held_back.write("\r", epoch, "/", epochs, ": loss: ", number(loss))
        if perf_counter_ns() - flushed >= HELD_BACK_NS:
            print(held_back, end="")
            held_back = String()
            flushed = perf_counter_ns()
    if epochs:
        print(held_back)
    var training_ns = perf_counter_ns() - start
    print("Final Loss:", number(loss))
    var fraction = String(training_ns % 1_000_000_000).ascii_rjust(9, "0")
    print(t"Training Time: {training_ns // 1_000_000_000}.{fraction} s", file=stderr)
    print_peak_memory()


def main():
    try:
        run()
    except error:
        print("error:", error, file=stderr)
        exit(2)
