# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The network in typed Cython: loops over pointers, which become plain loops in C."""


cdef class Network:
    """All parameters in one flat vector; ``values`` and ``deltas`` have a place for every neuron after the inputs."""

    cdef Py_ssize_t depth
    cdef Py_ssize_t[::1] layers
    cdef double[::1] p, values, deltas, slopes

    def __init__(self, layers, parameters, values, deltas, slopes):
        self.depth = len(layers) - 1
        self.layers, self.p = layers, parameters
        self.values, self.deltas, self.slopes = values, deltas, slopes

    cdef double *forward(self, double *x) noexcept:
        """Run the network and return where its outputs are; each layer's values follow those of the layer before."""
        cdef Py_ssize_t i, j, k, rows, columns
        cdef double total
        cdef double *row = &self.p[0]
        cdef double *bias = &self.p[self.p.shape[0] - self.depth]
        cdef double *out = &self.values[0]
        for k in range(self.depth):
            columns, rows = self.layers[k], self.layers[k + 1]
            for i in range(rows):
                total = 0.0
                for j in range(columns):
                    total += x[j] * row[j]
                out[i] = total + bias[k]
                row += columns
            x = out
            out += rows
        return x

    cdef double squares(self, double total, double *target, double *output) noexcept:
        """Add the squared differences of one sample to ``total``."""
        cdef Py_ssize_t i
        cdef double d
        for i in range(self.layers[self.depth]):
            d = target[i] - output[i]
            total += d * d
        return total

    cdef void step_naive(self, double *x, double *target, double h, double rate) noexcept:
        """Move every parameter against its central difference."""
        cdef Py_ssize_t i, outputs = self.layers[self.depth]
        cdef double value, up, down
        for i in range(self.p.shape[0]):
            value = self.p[i]
            self.p[i] = value + h
            up = self.squares(0.0, target, self.forward(x)) / outputs
            self.p[i] = value - h
            down = self.squares(0.0, target, self.forward(x)) / outputs
            self.p[i] = value
            self.slopes[i] = (up - down) / (2.0 * h)
        for i in range(self.p.shape[0]):
            self.p[i] -= rate * self.slopes[i]

    cdef void step_backprop(self, double *x, double *target, double rate) noexcept:
        """Move every parameter against its exact slope."""
        cdef Py_ssize_t i, j, k, rows, columns, outputs = self.layers[self.depth]
        cdef double d, slope
        cdef double *output = self.forward(x)
        cdef double *delta = &self.deltas[self.deltas.shape[0] - outputs]
        cdef double *bias = &self.p[self.p.shape[0] - self.depth]
        cdef double *row = bias
        cdef double *inputs
        cdef double *previous
        for i in range(outputs):
            delta[i] = 2.0 * (output[i] - target[i]) / outputs
        for k in range(self.depth - 1, -1, -1):
            columns, rows = self.layers[k], self.layers[k + 1]
            row -= rows * columns
            inputs, previous = output - columns, delta - columns
            if k == 0:
                inputs = x
            else:
                for j in range(columns):
                    previous[j] = 0.0
            slope = 0.0
            for i in range(rows):
                d = delta[i]
                slope += d
                if k > 0:
                    for j in range(columns):
                        previous[j] += d * row[j]
                for j in range(columns):
                    row[j] -= rate * (d * inputs[j])
                row += columns
            row -= rows * columns
            bias[k] -= rate * slope
            output, delta = inputs, previous

    def outputs(self, double[::1] x):
        """Return the outputs for one sample."""
        cdef double *output = self.forward(&x[0])
        return [output[i] for i in range(self.layers[self.depth])]

    def loss(self, double[:, ::1] inputs, double[:, ::1] targets):
        """Return the mean of the squared differences over all samples and outputs."""
        cdef Py_ssize_t s
        cdef double total = 0.0
        for s in range(inputs.shape[0]):
            total = self.squares(total, &targets[s, 0], self.forward(&inputs[s, 0]))
        return total / (targets.shape[0] * targets.shape[1])

    def epoch(self, double[:, ::1] inputs, double[:, ::1] targets, bint is_naive, double h, double rate):
        """Take a training step for each sample."""
        cdef Py_ssize_t s
        for s in range(inputs.shape[0]):
            if is_naive:
                self.step_naive(&inputs[s, 0], &targets[s, 0], h, rate)
            else:
                self.step_backprop(&inputs[s, 0], &targets[s, 0], rate)
