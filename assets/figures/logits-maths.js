// Rows of logits of a language model, and what common noise and a watermark make of them: the arithmetic of two
// moving figures (tests/test_figure_logits.py compares it with the package).
//
// A row is { values, counts }: its different logits, largest first, and how many tokens have each. The largest of
// the noises of n tokens is one standard Gumbel plus log n, so one noise for each value draws as one for each token.
"use strict";

(() => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  // Sixteen bits, the first of them a sign, the next five a power of two.
  function half(code) {
    const [sign, power, rest] = [code >> 15 ? -1 : 1, (code >> 10) & 31, code & 1023];
    return sign * (power ? 2 ** (power - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024));
  }

  function words(text) {
    const read = bytes(text);
    return Array.from({ length: read.length / 2 }, (_, i) => read[2 * i] + 256 * read[2 * i + 1]);
  }

  const decode = ({ values, counts }) => ({ values: words(values).map(half), counts: words(counts) });

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  // The probability of one token of each value. The largest logit is zero.
  function law({ values, counts }, temperature) {
    const weights = values.map((value) => Math.exp(value / temperature));
    const total = sum(weights.map((weight, i) => counts[i] * weight));
    return weights.map((weight) => weight / total);
  }

  const entropy = (row, temperature) =>
    -sum(law(row, temperature).map((prob, i) => (prob > 0 ? row.counts[i] * prob * Math.log(prob) : 0)));

  function totalVariation(row, first, second) {
    const [p, q] = [law(row, first), law(row, second)];
    return sum(p.map((prob, i) => row.counts[i] * Math.abs(prob - q[i]))) / 2;
  }

  // How often both draw a token, for one token of each value: the terms of the sorted sum. Between two temperatures
  // the ratio of the probabilities rises or falls with the logit, so that the values are in its order already.
  function shares(row, first, second) {
    if (second < first) return shares(row, second, first);
    const [p, q] = [law(row, first), law(row, second)];
    const tail = new Float64Array(p.length + 1);
    for (let i = p.length - 1; i >= 0; i--) tail[i] = tail[i + 1] + row.counts[i] * q[i];
    let head = 0;
    return p.map((prob, i) => {
      head += row.counts[i] * prob;
      const rate = q[i] * head + prob * tail[i + 1];
      return rate > 0 ? (prob * q[i]) / rate : 0;
    });
  }

  const agreement = (row, first, second) => sum(shares(row, first, second).map((share, i) => row.counts[i] * share));

  const agreementBounds = (distance) => [(1 - distance) / (1 + distance), 1 - distance];

  // How often two draws of their own agree.
  function chance(row, first, second) {
    const [p, q] = [law(row, first), law(row, second)];
    return sum(p.map((prob, i) => row.counts[i] * prob * q[i]));
  }

  // The values that win in several draws, whose noise stands one after the other.
  function winners({ values, counts }, temperature, noise, draws) {
    const logits = Float64Array.from(values, (value, i) => value / temperature + Math.log(counts[i]));
    const won = [];
    for (let draw = 0, from = 0; draw < draws; draw++, from += logits.length) {
      let best = 0, highest = -Infinity;
      for (let i = 0; i < logits.length; i++) {
        const value = logits[i] + noise[from + i];
        if (value > highest) {
          highest = value;
          best = i;
        }
      }
      won.push(best);
    }
    return won;
  }

  // The score of a token by its noise, which for the token that wins is its value's.
  const score = (noise) => -Math.log(-Math.expm1(-Math.exp(-noise)));

  // The slope of the logarithm of the gamma function, by its asymptotic series from ten on.
  function digamma(x) {
    let shift = 0;
    for (; x < 10; x++) shift -= 1 / x;
    const square = 1 / (x * x);
    const series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square * (1 / 132 - square * (691 / 32760))))));
    return shift + Math.log(x) - 1 / (2 * x) - series;
  }

  const EULER = 0.5772156649015329;

  // Of one marked token, over the tokens of a law.
  const meanScore = (row, temperature) =>
    sum(law(row, temperature).map((prob, i) => (prob > 1e-300 ? row.counts[i] * prob * (digamma(1 + 1 / prob) + EULER) : 0)));

  // What the theorem says of it.
  const meanScoreBounds = (entropyOfLaw) => [1 + (Math.PI ** 2 / 6 - 1) * entropyOfLaw, 1 + entropyOfLaw];

  // The probability that n standard exponentials add up to more: fewer than n events of a Poisson law.
  function pValue(total, n) {
    if (total <= 0) return 1;
    let term = -total, largest = -Infinity;
    const power = Math.log(total);
    const terms = [];
    for (let k = 0; k < n; k++) {
      terms.push(term);
      largest = Math.max(largest, term);
      term += power - Math.log(k + 1);
    }
    return Math.min(1, Math.exp(largest) * sum(terms.map((each) => Math.exp(each - largest))));
  }

  // The total that n standard exponentials exceed with a given probability, by halving.
  function limit(n, size) {
    let [low, high] = [0, n + 10 + 10 * Math.sqrt(n) - 2 * Math.log(size)];
    for (let step = 0; step < 100; step++) {
      const middle = (low + high) / 2;
      if (pValue(middle, n) > size) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  const api = {
    agreement, agreementBounds, chance, decode, digamma, entropy, law, limit, meanScore, meanScoreBounds, pValue, score, shares,
    totalVariation, winners,
  };
  if (typeof module === "object") module.exports = api;
  else globalThis.Logits = api;
})();
