# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The network in typed Cython: loops over memory views, which become plain loops in C."""


cdef class Network:
    """All parameters in one flat vector; ``values`` and ``deltas`` have a place for every neuron."""

    cdef Py_ssize_t depth
    cdef Py_ssize_t[::1] layers
    cdef double[::1] p, values, deltas, slopes

    def __init__(self, layers, parameters, values, deltas, slopes):
        self.depth = len(layers) - 1
        self.layers, self.p = layers, parameters
        self.values, self.deltas, self.slopes = values, deltas, slopes

    cdef void forward(self, double[::1] x) noexcept:
        """Run the network; the values of each layer come after those of the one before."""
        cdef Py_ssize_t i, j, k, rows, columns, w = 0, start = 0, bias = self.p.shape[0] - self.depth
        cdef double total
        for j in range(self.layers[0]):
            self.values[j] = x[j]
        for k in range(self.depth):
            columns, rows = self.layers[k], self.layers[k + 1]
            for i in range(rows):
                total = 0.0
                for j in range(columns):
                    total += self.values[start + j] * self.p[w + j]
                self.values[start + columns + i] = total + self.p[bias + k]
                w += columns
            start += columns

    cdef double squares(self, double total, double[::1] target) noexcept:
        """Add the squared differences of one sample to ``total``."""
        cdef Py_ssize_t i, outputs = target.shape[0], first = self.values.shape[0] - target.shape[0]
        cdef double d
        for i in range(outputs):
            d = target[i] - self.values[first + i]
            total += d * d
        return total

    cdef void step_naive(self, double[::1] x, double[::1] target, double h, double rate) noexcept:
        """Move every parameter against its central difference."""
        cdef Py_ssize_t i
        cdef double value, up, down
        for i in range(self.p.shape[0]):
            value = self.p[i]
            self.p[i] = value + h
            self.forward(x)
            up = self.squares(0.0, target) / target.shape[0]
            self.p[i] = value - h
            self.forward(x)
            down = self.squares(0.0, target) / target.shape[0]
            self.p[i] = value
            self.slopes[i] = (up - down) / (2.0 * h)
        for i in range(self.p.shape[0]):
            self.p[i] -= rate * self.slopes[i]

    cdef void step_backprop(self, double[::1] x, double[::1] target, double rate) noexcept:
        """Move every parameter against its exact slope."""
        cdef Py_ssize_t i, j, k, rows, columns, outputs = target.shape[0]
        cdef Py_ssize_t end = self.values.shape[0], bias = self.p.shape[0] - self.depth, w = bias
        cdef double d, slope
        cdef double *row
        cdef double *inputs
        cdef double *previous
        self.forward(x)
        for i in range(outputs):
            self.deltas[end - outputs + i] = 2.0 * (self.values[end - outputs + i] - target[i]) / outputs
        for k in range(self.depth - 1, -1, -1):
            columns, rows = self.layers[k], self.layers[k + 1]
            w -= rows * columns
            end -= rows
            inputs, previous = &self.values[end - columns], &self.deltas[end - columns]
            for j in range(columns):
                previous[j] = 0.0
            slope = 0.0
            for i in range(rows):
                d = self.deltas[end + i]
                slope += d
                row = &self.p[w + i * columns]
                if k > 0:
                    for j in range(columns):
                        previous[j] += d * row[j]
                for j in range(columns):
                    row[j] -= rate * (d * inputs[j])
            self.p[bias + k] -= rate * slope

    def outputs(self, double[::1] x):
        """Return the outputs for one sample."""
        self.forward(x)
        return list(self.values[self.values.shape[0] - self.layers[self.depth]:])

    def loss(self, double[:, ::1] inputs, double[:, ::1] targets):
        """Return the mean of the squared differences over all samples and outputs."""
        cdef Py_ssize_t s
        cdef double total = 0.0
        for s in range(inputs.shape[0]):
            self.forward(inputs[s])
            total = self.squares(total, targets[s])
        return total / (targets.shape[0] * targets.shape[1])

    def epoch(self, double[:, ::1] inputs, double[:, ::1] targets, bint is_naive, double h, double rate):
        """Take a training step for each sample."""
        cdef Py_ssize_t s
        for s in range(inputs.shape[0]):
            if is_naive:
                self.step_naive(inputs[s], targets[s], h, rate)
            else:
                self.step_backprop(inputs[s], targets[s], rate)
