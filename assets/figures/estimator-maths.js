// Seven estimators of the gradient of an expected loss in three logits: the arithmetic of the bench.
// The formulas are those of gumbel_tutorial.estimators, for one variable and one estimate at a time.
"use strict";

(() => {
  const { exp, log1p, tanh } = Math;

  function dot(one, other) {
    let sum = 0;
    for (let i = 0; i < one.length; i++) sum += one[i] * other[i];
    return sum;
  }

  const scaled = (factor, values) => values.map((value) => factor * value);
  const plus = (one, other) => one.map((value, i) => value + other[i]);

  // Losses of chapter 5 with the last of their four categories left out: the value at a point, and the slope there.
  const LINE = [0.1, 0.75, -0.34];
  const LOGITS = [1, 0.3, -0.3];
  const raised = (z) => dot(LINE, z) + z[0];
  const around = (z) => dot(LINE, z) + 2 * z[0] - 1;
  const wave = (z) => tanh(4 * z[1] - 3 * z[2]);
  const problems = {
    linear: { value: (z) => dot(LINE, z), slope: () => LINE },
    quadratic: {
      value: (z) => around(z) ** 2,
      slope: (z) => scaled(2 * around(z), plus(LINE, [2, 0, 0])),
    },
    cubic: {
      value: (z) => raised(z) ** 3,
      slope: (z) => scaled(3 * raised(z) ** 2, plus(LINE, [1, 0, 0])),
    },
    "exp + tanh": {
      value: (z) => exp(dot(LINE, z)) + wave(z),
      slope: (z) => plus(scaled(exp(dot(LINE, z)), LINE), scaled(1 - wave(z) ** 2, [0, 4, -3])),
    },
  };

  function winner(values) {
    let best = 0;
    for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
    return best;
  }

  function softmax(values, temperature = 1) {
    const [probs, largest] = [new Array(values.length), values[winner(values)]];
    let total = 0;
    for (let i = 0; i < values.length; i++) total += probs[i] = exp((values[i] - largest) / temperature);
    for (let i = 0; i < values.length; i++) probs[i] /= total;
    return probs;
  }

  // (diag(p) - p p^T) g: the derivative of softmax, which is its own transpose.
  function throughSoftmax(probs, slope) {
    const mean = dot(probs, slope);
    return probs.map((prob, i) => prob * (slope[i] - mean));
  }

  // How many rows of noise a draw takes: two independent samples, and those of the average given the first.
  const INNER = 10;
  const PROBS = softmax(LOGITS);

  // How far perturbed logits lie below the largest when it is known which that is: theorem "posterior of the noise"
  // of chapter 3. With free noise as arrival times E, whose -log is Gumbel noise, entry i is -log(1 + E_i / (p_i E_won)).
  function gapsBelow(won, time) {
    const count = PROBS.length;
    const [gaps, times] = [new Float64Array(INNER * count), new Float64Array(count)];
    for (let at = 0; at < gaps.length; at += count) {
      for (let i = 0; i < count; i++) times[i] = time();
      for (let i = 0; i < count; i++) if (i !== won) gaps[at + i] = -log1p(times[i] / (PROBS[i] * times[won]));
    }
    return gaps;
  }

  // What the estimators draw; it depends on no temperature. What one of them alone needs comes when it asks:
  // `other()` gives the noise of the second sample, and `time()` the arrival times of the inner rows, one by one.
  function draw(noise, other, time) {
    const perturbed = plus(LOGITS, noise);
    return { perturbed, won: winner(perturbed), other, time, otherWon: undefined, gaps: undefined };
  }

  const otherWinner = (drawn) => (drawn.otherWon ??= winner(plus(LOGITS, drawn.other())));
  const innerGaps = (drawn) => (drawn.gaps ??= gapsBelow(drawn.won, drawn.time));

  // What depends on no noise.
  function prepare(problem, temperature = 1) {
    const corners = LOGITS.map((_, won) => {
      const corner = LOGITS.map((__, i) => (i === won ? 1 : 0));
      const score = plus(corner, scaled(-1, PROBS));
      return { corner, score, value: problem.value(corner), slope: problem.slope(corner) };
    });
    return { problem, temperature, corners, soft: softmax(LOGITS, temperature) };
  }

  const exact = ({ corners }) => throughSoftmax(PROBS, corners.map(({ value }) => value));

  const [SUM, WEIGHTS] = [new Float64Array(LOGITS.length), new Float64Array(LOGITS.length)];
  const estimators = {
    REINFORCE({ corners }, { won }) {
      return scaled(corners[won].value, corners[won].score);
    },
    RLOO({ corners }, drawn) {
      const [one, other] = [corners[drawn.won], corners[otherWinner(drawn)]];
      const half = (one.value - other.value) / 2;
      return plus(scaled(half, one.score), scaled(-half, other.score));
    },
    "straight-through"({ corners, soft, temperature }, { won }) {
      return scaled(1 / temperature, throughSoftmax(soft, corners[won].slope));
    },
    "Gumbel-Softmax"({ problem, temperature }, { perturbed }) {
      const relaxed = softmax(perturbed, temperature);
      return scaled(1 / temperature, throughSoftmax(relaxed, problem.slope(relaxed)));
    },
    "straight-through Gumbel-Softmax"({ corners, temperature }, { perturbed, won }) {
      return scaled(1 / temperature, throughSoftmax(softmax(perturbed, temperature), corners[won].slope));
    },
    ReinMax({ corners, soft }, { won }) {
      const { corner, slope } = corners[won];
      const middle = scaled(1 / 2, plus(corner, soft));
      return plus(scaled(2, throughSoftmax(middle, slope)), scaled(-1 / 2, throughSoftmax(PROBS, slope)));
    },
    // Plain loops: a turn of the bench goes through them fifty thousand times.
    "Gumbel-Rao"({ corners, temperature }, drawn) {
      const { won } = drawn;
      const { slope } = corners[won];
      const gaps = innerGaps(drawn);
      SUM.fill(0);
      for (let at = 0; at < gaps.length; at += SUM.length) {
        let total = 0, mean = 0;
        for (let i = 0; i < SUM.length; i++) {
          total += WEIGHTS[i] = i === won ? 1 : exp(gaps[at + i] / temperature);
          mean += WEIGHTS[i] * slope[i];
        }
        for (let i = 0; i < SUM.length; i++) SUM[i] += (WEIGHTS[i] * (slope[i] - mean / total)) / total;
      }
      return LOGITS.map((_, i) => SUM[i] / (INNER * temperature));
    },
  };

  function estimate(estimator, problem, temperature, [noise, other, ...inner]) {
    const times = inner.flat().values();
    const drawn = draw(noise, () => other, () => exp(-times.next().value));
    return estimators[estimator](prepare(problems[problem], temperature), drawn);
  }
  const exactGradient = (problem) => exact(prepare(problems[problem]));

  // The plane of gradients: their entries add up to zero, since an offset of the logits changes nothing.
  const AXES = [scaled(Math.SQRT1_2, [1, -1, 0]), scaled(1 / Math.sqrt(6), [1, 1, -2])];
  const toPlane = (gradient) => [dot(AXES[0], gradient), dot(AXES[1], gradient)];

  // Means of `budget` estimates each, in the plane.
  function means(points, budget) {
    const grouped = [];
    for (let start = 0; start + budget <= points.length; start += budget) {
      let [x, y] = [0, 0];
      for (let i = start; i < start + budget; i++) {
        x += points[i][0];
        y += points[i][1];
      }
      grouped.push([x / budget, y / budget]);
    }
    return grouped;
  }

  // Bias with its standard error, and the spread of one estimate, relative to the length of the exact gradient.
  function summary(points, gradient) {
    const size = Math.hypot(...gradient);
    const [mean] = means(points, points.length);
    let squares = 0;
    for (const [x, y] of points) squares += (x - mean[0]) ** 2 + (y - mean[1]) ** 2;
    const spread = Math.sqrt(squares / (points.length - 1)) / size;
    const bias = Math.hypot(mean[0] - gradient[0], mean[1] - gradient[1]) / size;
    return { mean, bias, error: spread / Math.sqrt(points.length), spread };
  }

  const api = { estimate, exactGradient, problems, estimators, draw, innerGaps, prepare, exact, toPlane, means, summary, LOGITS };
  if (typeof module === "object") module.exports = api;
  else globalThis.Bench = api;
})();
