/* The network of docs/contender.md in C: plain loops over one flat vector, naive and backprop.
 *
 * Built by `cc -O3 -march=native -ffp-contract=off`: the compiler may use wide registers, but it may neither
 * fuse a product with an addition nor change the order of a sum, so the losses are Python's to the last bit.
 */
#define _POSIX_C_SOURCE 200809L
#ifndef FLAGS
#define FLAGS "unknown flags"
#endif
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_LAYERS = 64, STATE = 624 };
static const double HELD_BACK_S = 0.05;

static void fail(const char *message, int status) {
    fprintf(stderr, "error: %s\n", message);
    exit(status);
}

static double *values(size_t count) {
    double *memory = calloc(count ? count : 1, sizeof(double));
    if (!memory) fail("out of memory; use smaller layers or fewer samples", 1);
    return memory;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

/* MT19937, seeded as by init_by_array with the words of the seed (Matsumoto & Nishimura, 1998). */
static uint32_t state[STATE];
static int used = STATE;

static void seed_words(const uint32_t *key, int length) {
    state[0] = 19650218;
    for (int i = 1; i < STATE; i++) state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
    int i = 1, j = 0;
    for (int k = 0; k < STATE; k++) {
        state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1664525u)) + key[j] + j;
        if (++i == STATE) state[0] = state[STATE - 1], i = 1;
        j = (j + 1) % length;
    }
    for (int k = 1; k < STATE; k++) {
        state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1566083941u)) - i;
        if (++i == STATE) state[0] = state[STATE - 1], i = 1;
    }
    state[0] = 0x80000000u;
}

static uint32_t random_word(void) {
    if (used == STATE) {
        for (int i = 0; i < STATE; i++) {
            uint32_t mixed = (state[i] & 0x80000000u) | (state[(i + 1) % STATE] & 0x7fffffffu);
            state[i] = state[(i + 397) % STATE] ^ (mixed >> 1) ^ (mixed & 1 ? 0x9908b0dfu : 0);
        }
        used = 0;
    }
    uint32_t y = state[used++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

static double uniform(double low, double high) {
    uint32_t a = random_word() >> 5, b = random_word() >> 6;
    return low + (high - low) * ((a * 67108864.0 + b) / 9007199254740992.0);
}

/* Layer sizes n[0] .. n[depth], the weights of all layers and then the biases in p; x[k] are the values of layer k. */
typedef struct {
    int depth;
    size_t n[MOST_LAYERS], offset[MOST_LAYERS], count;
    double *p, *x[MOST_LAYERS], *delta[MOST_LAYERS];
} Network;

static void draw(Network *net) {
    for (size_t i = 0; i < net->count; i++) net->p[i] = uniform(-1.0, 1.0);
}

static double *forward(const Network *net, const double *input) {
    const double *x = input;
    for (int k = 0; k < net->depth; k++) {
        size_t columns = net->n[k], rows = net->n[k + 1];
        const double *w = net->p + net->offset[k];
        double bias = net->p[net->offset[net->depth] + k], *out = net->x[k + 1];
        for (size_t i = 0; i < rows; i++, w += columns) {
            double total = 0.0;
            for (size_t j = 0; j < columns; j++) total += x[j] * w[j];
            out[i] = total + bias;
        }
        x = out;
    }
    return net->x[net->depth];
}

static double squares(double total, const double *target, const double *output, size_t count) {
    for (size_t i = 0; i < count; i++) {
        double d = target[i] - output[i];
        total += d * d;
    }
    return total;
}

static void step_naive(Network *net, const double *x, const double *t, double h, double rate, double *slopes) {
    size_t outputs = net->n[net->depth];
    for (size_t i = 0; i < net->count; i++) {
        double value = net->p[i];
        net->p[i] = value + h;
        double up = squares(0.0, t, forward(net, x), outputs) / outputs;
        net->p[i] = value - h;
        double down = squares(0.0, t, forward(net, x), outputs) / outputs;
        net->p[i] = value;
        slopes[i] = (up - down) / (2.0 * h);
    }
    for (size_t i = 0; i < net->count; i++) net->p[i] -= rate * slopes[i];
}

static void step_backprop(Network *net, const double *x, const double *t, double rate) {
    size_t outputs = net->n[net->depth];
    double *delta = net->delta[net->depth], *output = forward(net, x);
    for (size_t i = 0; i < outputs; i++) delta[i] = 2.0 * (output[i] - t[i]) / outputs;
    for (int k = net->depth - 1; k >= 0; k--) {
        size_t columns = net->n[k], rows = net->n[k + 1];
        const double *inputs = k ? net->x[k] : x;
        double *w = net->p + net->offset[k], *previous = net->delta[k], slope = 0.0;
        delta = net->delta[k + 1];
        if (k) memset(previous, 0, columns * sizeof(double));
        for (size_t i = 0; i < rows; i++, w += columns) {
            slope += delta[i];
            if (k)
                for (size_t j = 0; j < columns; j++) previous[j] += delta[i] * w[j];
            for (size_t j = 0; j < columns; j++) w[j] -= rate * (delta[i] * inputs[j]);
        }
        net->p[net->offset[net->depth] + k] -= rate * slope;
    }
}

static double overall_loss(const Network *net, const double *inputs, const double *targets, size_t samples) {
    size_t features = net->n[0], outputs = net->n[net->depth];
    double total = 0.0;
    for (size_t s = 0; s < samples; s++)
        total = squares(total, targets + s * outputs, forward(net, inputs + s * features), outputs);
    return total / (samples * outputs);
}

/* The fewest digits that read back to the same bits, laid out as Python does. */
static void print_number(double value) {
    char text[40];
    if (isnan(value) || isinf(value)) {
        fputs(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf", stdout);
        return;
    }
    /* Nearly every loss has 16 or 17 digits: shorter ones are looked for only if 15 are enough. */
    snprintf(text, sizeof text, "%.14e", value);
    int digits = strtod(text, NULL) == value ? 0 : 15;
    do snprintf(text, sizeof text, "%.*e", digits++, value);
    while (strtod(text, NULL) != value);
    int exponent = atoi(strchr(text, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        fputs(text, stdout);
    } else {
        int decimals = digits - 1 - exponent;
        printf("%.*f", decimals > 1 ? decimals : 1, value);
    }
}

static void print_loss(const char *label, double loss) {
    fputs(label, stdout);
    print_number(loss);
}

static void print_peak_memory(void) {
    char line[200];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6)) fprintf(stderr, "Peak Memory: %lld B\n", atoll(line + 6) * 1024);
    if (status) fclose(status);
}

int main(int argc, char **argv) {
    double h = 0.1, rate = 0.01, low = 0.0, high = 1.0;
    unsigned long long seed = 1, samples = 100, epochs = 100;
    int backprop = 0;
    Network net = {.depth = -1};
    for (int a = 1; a < argc; a++) {
        char *word = argv[a], *value = strchr(word, '=');
        if (!strcmp(word, "--version")) return puts("flatnet in C, compiled by " __VERSION__ " with " FLAGS), 0;
        if (strncmp(word, "--", 2)) {
            if (net.depth + 1 == MOST_LAYERS) fail("too many layers", 2);
            net.n[++net.depth] = strtoull(word, NULL, 10);
            if (!net.n[net.depth]) fail("LAYERS takes positive sizes", 2);
            continue;
        }
        if (!value) fail("options are written --name=value", 2);
        size_t length = value++ - word;
        if (!strncmp(word, "--method", length)) {
            backprop = !strcmp(value, "backprop");
            if (!backprop && strcmp(value, "naive")) fail("--method takes naive or backprop", 2);
        } else if (!strncmp(word, "--samples", length)) samples = strtoull(value, NULL, 10);
        else if (!strncmp(word, "--epochs", length)) epochs = strtoull(value, NULL, 10);
        else if (!strncmp(word, "--seed", length)) seed = strtoull(value, NULL, 10);
        else if (!strncmp(word, "--step", length)) h = strtod(value, NULL);
        else if (!strncmp(word, "--learning-rate", length)) rate = strtod(value, NULL);
        else if (!strncmp(word, "--low", length)) low = strtod(value, NULL);
        else if (!strncmp(word, "--high", length)) high = strtod(value, NULL);
        else fail("unknown option", 2);
    }
    if (net.depth < 1 || !samples) fail("takes two or more layer sizes and one or more samples", 2);

    for (int k = 0; k < net.depth; k++) net.offset[k + 1] = net.offset[k] + net.n[k] * net.n[k + 1];
    net.count = net.offset[net.depth] + net.depth;
    net.p = values(net.count);
    for (int k = 0; k <= net.depth; k++) net.x[k] = values(net.n[k]), net.delta[k] = values(net.n[k]);
    size_t features = net.n[0], outputs = net.n[net.depth];
    double *inputs = values(samples * features), *targets = values(samples * outputs);
    double *slopes = values(net.count);

    uint32_t words[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    seed_words(words, words[1] ? 2 : 1);
    for (size_t i = 0; i < samples * features; i++) inputs[i] = uniform(low, high);
    draw(&net);
    for (size_t s = 0; s < samples; s++)
        memcpy(targets + s * outputs, forward(&net, inputs + s * features), outputs * sizeof(double));
    draw(&net);

    double loss = overall_loss(&net, inputs, targets, samples);
    print_loss("Initial Loss: ", loss);
    puts("");
    fflush(stdout);
    double start = seconds(), flushed = start;
    for (unsigned long long epoch = 1; epoch <= epochs; epoch++) {
        for (size_t s = 0; s < samples; s++) {
            const double *x = inputs + s * features, *t = targets + s * outputs;
            if (backprop) step_backprop(&net, x, t, rate);
            else step_naive(&net, x, t, h, rate, slopes);
        }
        loss = overall_loss(&net, inputs, targets, samples);
        printf("\r%llu/%llu: loss: ", epoch, epochs);
        print_number(loss);
        if (seconds() - flushed >= HELD_BACK_S) {
            fflush(stdout);
            flushed = seconds();
        }
    }
    double training_s = seconds() - start;
    print_loss(epochs ? "\nFinal Loss: " : "Final Loss: ", loss);
    puts("");
    if (fflush(stdout)) fail("cannot write", 1);
    fprintf(stderr, "Training Time: %.9f s\n", training_s);
    print_peak_memory();
    return 0;
}
