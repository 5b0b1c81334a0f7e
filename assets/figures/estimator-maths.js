// Seven estimators of the gradient of an expected loss in three logits: the arithmetic of the bench.
// The formulas are those of gumbel_tutorial.estimators, for one variable and one estimate at a time.
"use strict";

(() => {
  const { exp, log, log1p, max, min, tanh } = Math;

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

  // Plain loops: a turn of the bench calls it fifty thousand times.
  function softmax(values, temperature = 1, probs = new Array(values.length), won = winner(values)) {
    const largest = values[won];
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

  const logAddExp = (one, other) => max(one, other) + log1p(exp(min(one, other) - max(one, other)));

  // Perturbed logits drawn given their winner, from free noise: theorem "posterior of the noise" of chapter 3.
  function givenWinner(logits, won, noise) {
    const probs = softmax(logits);
    return logits.map((logit, i) => {
      const bound = noise[won] - log(probs[i]);
      return logit + (i === won ? bound : -logAddExp(-bound, -noise[i]));
    });
  }

  // How many rows of Gumbel noise a draw takes: two independent samples, and noise for the average given the first.
  const INNER = 10;
  const ROWS = 2 + INNER;

  // What the estimators draw; it depends on no temperature.
  function draw(noise, logits = LOGITS) {
    const [perturbed, other] = noise.map((row) => plus(logits, row));
    const won = winner(perturbed);
    const drawn = { perturbed, won, otherWon: winner(other) };
    let given;
    // One estimator needs it, and it is most of the work.
    const once = () => (given ??= noise.slice(2).map((row) => givenWinner(logits, won, row)));
    return Object.defineProperty(drawn, "given", { get: once });
  }

  // What depends on no noise.
  function prepare(problem, temperature = 1, logits = LOGITS) {
    const probs = softmax(logits);
    const corners = logits.map((_, won) => {
      const corner = logits.map((__, i) => (i === won ? 1 : 0));
      const score = plus(corner, scaled(-1, probs));
      return { corner, score, value: problem.value(corner), slope: problem.slope(corner) };
    });
    return { problem, temperature, probs, corners, soft: softmax(logits, temperature) };
  }

  const exact = ({ probs, corners }) => throughSoftmax(probs, corners.map(({ value }) => value));

  const estimators = {
    REINFORCE({ corners }, { won }) {
      return scaled(corners[won].value, corners[won].score);
    },
    RLOO({ corners }, { won, otherWon }) {
      const [one, other] = [corners[won], corners[otherWon]];
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
    ReinMax({ corners, probs, soft }, { won }) {
      const { corner, slope } = corners[won];
      const middle = scaled(1 / 2, plus(corner, soft));
      return plus(scaled(2, throughSoftmax(middle, slope)), scaled(-1 / 2, throughSoftmax(probs, slope)));
    },
    "Gumbel-Rao"({ corners, temperature }, { won, given }) {
      const { slope } = corners[won];
      const [sum, probs] = [slope.map(() => 0), slope.map(() => 0)];
      for (const values of given) {
        softmax(values, temperature, probs, won);
        const mean = dot(probs, slope);
        for (let i = 0; i < sum.length; i++) sum[i] += probs[i] * (slope[i] - mean);
      }
      return scaled(1 / (given.length * temperature), sum);
    },
  };

  const estimate = (estimator, problem, temperature, noise) =>
    estimators[estimator](prepare(problems[problem], temperature), draw(noise));
  const exactGradient = (problem) => exact(prepare(problems[problem]));

  // The plane of gradients: their entries add up to zero, since an offset of the logits changes nothing.
  const AXES = [scaled(Math.SQRT1_2, [1, -1, 0]), scaled(1 / Math.sqrt(6), [1, 1, -2])];
  const toPlane = (gradient) => AXES.map((axis) => dot(axis, gradient));

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

  const api = { estimate, exactGradient, problems, estimators, draw, prepare, exact, toPlane, means, summary, ROWS, LOGITS };
  if (typeof module === "object") module.exports = api;
  else globalThis.Bench = api;
})();
