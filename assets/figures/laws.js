// The arithmetic of the moving figures, function by function that of the package (tests/test_figure_laws.py).
// Vectors are arrays of numbers; noise is standard Gumbel noise, one value for each category.
"use strict";

(() => {
  const sum = (values) => values.reduce((total, value) => total + value, 0);

  const dot = (one, other) => sum(one.map((value, i) => value * other[i]));

  const argmax = (values) => values.indexOf(Math.max(...values));

  const oneHot = (index, count) => Array.from({ length: count }, (_, i) => Number(i === index));

  // Values become their softmax at a temperature, the largest at zero so that nothing overflows; returns its place.
  function softenInPlace(values, temperature) {
    let first = 0, total = 0;
    for (let i = 1; i < values.length; i++) if (values[i] > values[first]) first = i;
    const largest = values[first];
    for (let i = 0; i < values.length; i++) total += values[i] = Math.exp((values[i] - largest) / temperature);
    for (let i = 0; i < values.length; i++) values[i] /= total;
    return first;
  }

  function soften(values, temperature) {
    const shares = [...values];
    softenInPlace(shares, temperature);
    return shares;
  }

  const softmax = (logits) => soften(logits, 1);

  const perturb = (logits, noise) => logits.map((logit, i) => logit + noise[i]);

  const relax = (logits, noise, temperature) => soften(perturb(logits, noise), temperature);

  // The same into an array that is there already, for a picture has thousands; returns the category that wins.
  function relaxInto(relaxed, logits, noise, temperature) {
    for (let i = 0; i < relaxed.length; i++) relaxed[i] = logits[i] + noise[i];
    return softenInPlace(relaxed, temperature);
  }

  const quantile = (prob) => -Math.log(-Math.log(prob));

  const factorial = (number) => (number < 2 ? 1 : number * factorial(number - 1));

  // Of the relaxed sample, with respect to all its entries but one.
  const logDensity = (relaxed, logits, temperature) => logDensities(relaxed.map(Math.log), logits, temperature)[0];

  // Of many samples, given by their logarithms one after another: a picture has thousands.
  function logDensities(logs, logits, temperature) {
    const count = logits.length;
    const powers = new Float64Array(count);
    const densities = new Float64Array(logs.length / count);
    const constant = (count - 1) * Math.log(temperature) + Math.log(factorial(count - 1));
    for (let row = 0; row < densities.length; row++) {
      let largest = -Infinity, all = 0;
      for (let i = 0; i < count; i++) {
        const log = logs[row * count + i];
        powers[i] = logits[i] - temperature * log;
        largest = Math.max(largest, powers[i]);
        all += powers[i] - log;
      }
      let total = 0;
      for (let i = 0; i < count; i++) total += Math.exp(powers[i] - largest);
      densities[row] = constant + all - count * (largest + Math.log(total));
    }
    return Array.from(densities);
  }

  // The mean of the relaxed sample, by the two sums of `quadrature.relaxed_mean`: over the winning value of the
  // noise G + tau H, and over H. `coarse` widens both steps; at 6 the result is right to four decimals.
  function relaxedMean(probs, temperature, coarse = 1) {
    const points = Math.round(1200 / coarse);
    const width = (45 / (points - 1)) * (1 + temperature);
    const step = coarse > 1 ? 0.2 : 0.1;
    const others = Array.from({ length: Math.round(45 / step) }, (_, i) => -5 + step * i);
    const weights = others.map((other) => step * Math.exp(-other - Math.exp(-other)));
    const kept = others.map((_, i) => i).filter((i) => weights[i] > (coarse > 1 ? 1e-8 : 1e-18));
    const hot = kept.map((i) => Math.exp(temperature * others[i]));
    const mean = probs.map(() => 0);
    for (let point = 0; point < points; point++) {
      const cold = Math.exp(5 * (1 + temperature) - width * point);
      const sums = probs.map((prob) => {
        let density = 0, below = 0;
        for (let j = 0; j < kept.length; j++) {
          const rate = prob * cold * hot[j];
          const share = weights[kept[j]] * Math.exp(-rate);
          below += share;
          density += rate * share;
        }
        return [density, below];
      });
      const all = sums.reduce((product, [, below]) => product * below, 1);
      if (all > 0) sums.forEach(([density, below], i) => (mean[i] += width * (density / below) * all));
    }
    return mean;
  }

  // Half the sum of the differences: how far two laws are apart.
  const totalVariation = (one, other) => sum(one.map((value, i) => Math.abs(value - other[i]))) / 2;

  // The race: category i arrives at an exponential time of rate exp(logit).
  const arrivals = (logits, noise) => perturb(logits, noise).map((value) => Math.exp(-value));

  // The first k to arrive, which are the k largest perturbed logits.
  function topK(logits, noise, k) {
    const values = perturb(logits, noise);
    return values.map((_, i) => i).sort((one, other) => values[other] - values[one]).slice(0, k);
  }

  // The probability of an order of arrival: each next one is drawn from those that are left.
  function orderProb(logits, indices) {
    let left = logits.map((_, i) => i);
    return indices.reduce((product, index) => {
      const share = softmax(left.map((i) => logits[i]))[left.indexOf(index)];
      left = left.filter((i) => i !== index);
      return product * share;
    }, 1);
  }

  // What a slope in the relaxed sample becomes in the logits: the Jacobian of the softmax, transposed.
  function backward(relaxed, slope, temperature) {
    const mean = dot(relaxed, slope);
    return relaxed.map((share, i) => (share * (slope[i] - mean)) / temperature);
  }

  // One draw: what goes forward, its loss (by its name in LOSSES), and the gradient that comes back to the logits. `kind` is soft (the
  // relaxed sample both ways), hard (one-hot forward, soft backward) or detached (nothing comes back).
  function passes(logits, noise, temperature, loss, kind) {
    const relaxed = relax(logits, noise, temperature);
    const oneHotSample = oneHot(argmax(perturb(logits, noise)), logits.length);
    const sample = kind === "soft" ? relaxed : oneHotSample;
    const slope = LOSSES[loss].slope(sample);
    const gradient = kind === "detached" ? slope.map(() => 0) : backward(relaxed, slope, temperature);
    return { relaxed, sample, value: LOSSES[loss].value(sample), slope, gradient };
  }

  // The means of `passes` over many draws and their standard errors, of the loss and of each entry of the gradient.
  function meanPasses(logits, noises, temperature, loss, kind) {
    const count = logits.length;
    const [sums, squares] = [new Float64Array(count + 1), new Float64Array(count + 1)];
    const add = (place, value) => {
      sums[place] += value;
      squares[place] += value * value;
    };
    const [relaxed, sample] = [new Float64Array(count), new Float64Array(count)];
    for (const noise of noises) {
      let mean = 0;
      const first = relaxInto(relaxed, logits, noise, temperature);
      for (let i = 0; i < count; i++) sample[i] = kind === "soft" ? relaxed[i] : Number(i === first);
      const slope = LOSSES[loss].slope(sample);
      for (let i = 0; i < count; i++) mean += relaxed[i] * slope[i];
      add(0, LOSSES[loss].value(sample));
      for (let i = 0; i < count; i++) add(i + 1, kind === "detached" ? 0 : (relaxed[i] * (slope[i] - mean)) / temperature);
    }
    const rows = noises.length;
    return Array.from(sums, (sum, i) => {
      const mean = sum / rows;
      return { mean, error: Math.sqrt(Math.max(squares[i] / rows - mean * mean, 0) / rows) };
    });
  }

  // The gradient of the expected loss of the one-hot sample, by enumeration.
  function exactGradient(logits, loss) {
    const probs = softmax(logits);
    const values = probs.map((_, i) => LOSSES[loss].value(oneHot(i, probs.length)));
    const mean = dot(probs, values);
    return { value: mean, gradient: probs.map((prob, i) => prob * (values[i] - mean)) };
  }

  const LOSSES = {
    linear: {
      value: (z) => z[0] + 2 * z[1] + 3 * z[2],
      slope: () => [1, 2, 3],
    },
    cubic: {
      value: (z) => (z[1] + 2 * z[2]) ** 3,
      slope: (z) => [0, 3 * (z[1] + 2 * z[2]) ** 2, 6 * (z[1] + 2 * z[2]) ** 2],
    },
  };

  // Uniform numbers, the same for every reader: a small generator of Bob Jenkins' kind (mulberry32), in (0, 1).
  function uniforms(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let word = Math.imul(state ^ (state >>> 15), 1 | state);
      word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
      return (((word ^ (word >>> 14)) >>> 0) + 0.5) / 4294967296;
    };
  }

  function gumbels(seed, rows, count) {
    const next = uniforms(seed);
    return Array.from({ length: rows }, () => Array.from({ length: count }, () => quantile(next())));
  }

  const laws = {
    LOSSES, argmax, arrivals, backward, dot, exactGradient, gumbels, logDensities, logDensity, meanPasses, oneHot, orderProb, passes, perturb,
    quantile, relax, relaxInto, relaxedMean, soften, softmax, sum, topK, totalVariation, uniforms,
  };
  if (typeof module === "object") module.exports = laws;
  else globalThis.Laws = laws;
})();
