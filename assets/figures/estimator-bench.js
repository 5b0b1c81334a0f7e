// needs: frame.js laws.js estimator-maths.js
// The estimator bench: a cloud of gradient estimates, their mean, and the exact gradient.
"use strict";

(() => {
  const { problems, estimators, draw: drawSample, innerGaps, prepare, exact, toPlane, means, summary } = Bench;
  const { quantile, uniforms } = Laws;
  const [POINTS, LARGEST] = [150, 32];
  const OUTSIDE = 122; // the width of the words for points that are out of sight
  const PART = 1600; // draws whose inner noise is drawn in a frame
  // Exact gradients are one unit long and point to the right.
  const [LEFT, RIGHT] = [-1.7, 3.3];
  const WITHOUT_TEMPERATURE = ["REINFORCE", "RLOO"];
  // Places of the slider are evenly spaced in the logarithm of the temperature, and zero is one.
  const toTemperature = (place) => 10 ** (place / 50);

  // A stream each for what all estimators need and for what one of them does.
  function newDraws(seed) {
    const [next, nextOther, nextInner] = [0, 1, 2].map((stream) => uniforms(seed + 2 ** 16 * stream));
    const row = (of) => [quantile(of()), quantile(of()), quantile(of())];
    const other = () => row(nextOther);
    const time = () => -Math.log(nextInner());
    return Array.from({ length: POINTS * LARGEST }, () => drawSample(row(next), other, time));
  }

  // Score functions have few values: a little disorder shows how many points lie on one place.
  const JITTER = (() => {
    const next = uniforms(3);
    return Array.from({ length: POINTS }, () => [6 * next() - 3, 6 * next() - 3]);
  })();

  // Turns the plane so that the exact gradient lies on the first axis, one unit long.
  function turned([x, y], [u, v]) {
    const square = u * u + v * v;
    return [(x * u + y * v) / square, (y * u - x * v) / square];
  }

  function start(figure) {
    let seed = 5;
    let draws, measured, isDue;
    const changed = () => (isDue = true);

    const problem = figure.menu({ label: "loss", options: Object.keys(problems), value: "cubic", change: changed });
    const estimator = figure.menu({
      label: "estimator", options: Object.keys(estimators), value: "Gumbel-Softmax", change: fitTemperature,
    });
    // The longest name has no room beside the label on a phone.
    estimator.parentElement.style.flexWrap = "wrap";
    const heat = figure.slider({
      label: 'temperature <i class="figure-math">τ</i>', low: -50, high: 35, step: 1, value: 0,
      text: (place) => toTemperature(place).toFixed(2), change: changed,
    });
    const power = figure.slider({
      label: "estimates averaged", low: 0, high: Math.log2(LARGEST), step: 1, value: 0, text: (place) => String(2 ** place),
    });
    figure.button({ label: "draw anew", press: drawAnew });

    const budget = () => 2 ** power.value;
    const hasTemperature = () => !WITHOUT_TEMPERATURE.includes(estimator.value);

    // ReinMax has no temperature below one.
    function fitTemperature() {
      heat.input.disabled = !hasTemperature();
      heat.input.parentElement.style.color = hasTemperature() ? "" : "var(--pst-color-text-muted)";
      heat.input.min = estimator.value === "ReinMax" ? 0 : -50;
      heat.value = Math.max(heat.value, heat.input.min);
      average();
    }

    function drawAnew() {
      seed += 1;
      draws = undefined;
      average();
    }

    const allDraws = () => (draws ??= newDraws(seed));

    // The inner noise of all draws takes some frames; until it is there the picture stays.
    function average() {
      changed();
      figure.stop();
      if (estimator.value !== "Gumbel-Rao") return;
      let from = 0;
      figure.animate((seconds) => {
        const to = seconds === Infinity ? allDraws().length : from + PART;
        allDraws().slice(from, to).forEach(innerGaps);
        from = to;
        return from < draws.length;
      });
    }

    function measure() {
      if (measured && (figure.move || !isDue)) return measured;
      isDue = false;
      const setting = prepare(problems[problem.value], toTemperature(heat.value));
      const gradient = toPlane(exact(setting));
      const points = allDraws().map((one) => turned(toPlane(estimators[estimator.value](setting, one)), gradient));
      measured = { points, ...summary(points, [1, 0]) };
      return measured;
    }

    const unit = () => figure.width / (RIGHT - LEFT);
    const place = ([x, y]) => [(x - LEFT) * unit(), figure.height / 2 + 22 - y * unit()];

    function arrow(pen, tip, colour, thick) {
      const [[fromX, fromY], [x, y]] = [place([0, 0]), place(tip)];
      const angle = Math.atan2(y - fromY, x - fromX);
      const wing = (turn) => [x - 13 * Math.cos(angle + turn), y - 13 * Math.sin(angle + turn)];
      pen.line([[fromX, fromY], [x, y]], { colour: pen.colours.ground, width: thick + 3 });
      pen.line([[fromX, fromY], [x, y]], { colour, width: thick });
      pen.line([wing(0.4), [x, y], wing(-0.4)], { colour, width: thick });
    }

    function drawCloud(pen, points) {
      const { ctx, colours } = pen;
      Object.assign(ctx, { fillStyle: colours.categories[0], globalAlpha: 0.5 });
      let outside = 0;
      means(points, budget()).slice(0, POINTS).forEach((point, i) => {
        const [x, y] = place(point).map((value, axis) => value + JITTER[i][axis]);
        if (x < 0 || x > pen.width || y < 34 || y > pen.height) outside += 1;
        ctx.beginPath();
        ctx.arc(x, y, 3, 0, 2 * Math.PI);
        ctx.fill();
      });
      ctx.globalAlpha = 1;
      return outside;
    }

    // The root of the mean squared distance from the mean.
    function drawSpread(pen, mean, spread) {
      const { ctx, colours } = pen;
      const [x, y] = place(mean);
      Object.assign(ctx, { strokeStyle: colours.categories[0], lineWidth: 1.5 });
      ctx.setLineDash([4, 4]);
      ctx.beginPath();
      ctx.arc(x, y, (spread / Math.sqrt(budget())) * unit(), 0, 2 * Math.PI);
      ctx.stroke();
      ctx.setLineDash([]);
    }

    function drawLegend(pen) {
      pen.bar(0, 0, pen.width, 34, pen.colours.ground);
      let x = 2;
      const arrows = [["exact gradient", pen.colours.ink, 4], ["mean of the estimates", pen.colours.categories[1], 2.5]];
      for (const [words, colour, width] of arrows) {
        pen.line([[x, 14], [x + 24, 14]], { colour, width });
        pen.line([[x + 17, 9], [x + 24, 14], [x + 17, 19]], { colour, width });
        x += 50 + pen.text(words, x + 31, 19, { size: pen.width < 320 ? 13 : 15 });
      }
    }

    function drawOutside(pen, outside) {
      if (outside === 0) return;
      const words = `${outside} of ${POINTS} ${outside === 1 ? "lies" : "lie"} outside`;
      pen.bar(pen.width - OUTSIDE, pen.height - 24, OUTSIDE, 24, pen.colours.ground);
      pen.text(words, pen.width - 4, pen.height - 8, { align: "right", size: 13, colour: pen.colours.muted });
    }

    function draw(pen) {
      const { points, mean, spread } = measure();
      const [x, y] = place([0, 0]);
      pen.line([[0, y], [pen.width, y]], { colour: pen.colours.faint });
      pen.line([[x, 34], [x, pen.height]], { colour: pen.colours.faint });
      const outside = drawCloud(pen, points);
      drawSpread(pen, mean, spread);
      pen.line([place([1, 0]), place(mean)], { colour: pen.colours.categories[1], width: 2, dash: [3, 3] });
      // The second may lie on the first.
      arrow(pen, [1, 0], pen.colours.ink, 5);
      arrow(pen, mean, pen.colours.categories[1], 2.5);
      drawLegend(pen);
      drawOutside(pen, outside);
    }

    function sentence() {
      const { bias, error, spread } = measure();
      const at = hasTemperature() ? ` at temperature ${toTemperature(heat.value).toFixed(2)}` : "";
      const many = budget() === 1 ? "one estimate at a time" : `means of ${budget()}`;
      const rest = (spread / Math.sqrt(budget())).toFixed(2);
      const name = estimator.value[0].toUpperCase() + estimator.value.slice(1);
      return `${name}${at} on the ${problem.value} loss, ${many}: the mean is off by `
        + `${bias.toFixed(2)}\u00a0±\u00a0${(2 * error).toFixed(2)} of the exact gradient, and the spread about the mean is ${rest}.`;
    }

    fitTemperature();
    return { draw, sentence };
  }

  Figures.define("estimator-bench", {
    title: "Estimator bench",
    description: "Estimates of one gradient as points of a plane, an arrow to their mean, and the exact gradient as an arrow to the right.",
    caption: "Bias is a shift, variance a spread. "
      + "Points: 150 estimates of the gradient of one loss of three categories, whose entries add up to zero and so lie in a plane; the thick arrow is the exact gradient. "
      + "Averaging draws the cloud together about its mean, which stays where it is; its distance from the tip is the bias. "
      + "The dashed circle has the spread for its radius.",
    height: (width) => Math.min(Math.max(0.56 * width, 250), 380),
    start,
  });
})();
