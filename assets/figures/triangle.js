// needs: frame.js laws.js
// Temperature on the triangle: the same noise at every temperature, the mean beside pi, or the density.
"use strict";

(() => {
  const { argmax, gumbels, logDensities, logDensity, perturb, relax, relaxInto, relaxedMean, totalVariation } = Laws;
  const NOISE = gumbels(2, 1500, 3);
  const START = [0.6, 0.3, 0.1];
  const EQUAL = [1 / 3, 1 / 3, 1 / 3];
  const LEAST = 0.02; // of a probability: pi is kept off the edges, where a logit is infinite
  const HALF_ROOT = Math.sqrt(3) / 2;
  const WIDE = 540;
  // Temperatures from cold to hot, evenly spaced in their logarithm.
  const toTemperature = (place) => 10 ** (place / 50);
  const COLDEST = -65, HOTTEST = 50;
  // The densities that have the palest and the fullest shade, at every temperature. The uniform one is 2.
  const PALE = 0.1, FULL = 100;

  const percent = (value) => value.toFixed(2);
  const vector = (values, digits = 2) => `(${values.map((value) => value.toFixed(digits)).join(", ")})`;

  // Category 1 on top, 2 on the left, 3 on the right, as in the book's other triangles.
  function frameOf(width) {
    const wide = width >= WIDE;
    const side = Math.min(wide ? 0.52 * width : width - 64, 400);
    const left = wide ? 32 : (width - side) / 2;
    return { wide, side, left, top: 30, bottom: 30 + HALF_ROOT * side };
  }

  const heightOf = (width) => frameOf(width).bottom + 32 + (frameOf(width).wide ? 0 : 168);

  const toPlane = ({ side, left, bottom }, [first, , third]) => [left + side * (third + first / 2), bottom - HALF_ROOT * side * first];

  function toSimplex({ side, left, bottom }, x, y) {
    const first = (bottom - y) / (HALF_ROOT * side);
    const third = (x - left) / side - first / 2;
    return [first, 1 - first - third, third];
  }

  // The nearest law that keeps off the edges.
  function inside(point) {
    const raised = point.map((value) => Math.max(value, LEAST));
    const over = raised.reduce((total, value) => total + value - LEAST, 0);
    return raised.map((value) => LEAST + ((value - LEAST) * (1 - 3 * LEAST)) / over);
  }

  // A grid of points inside the triangle, a pixel each, which is stretched over it.
  const GRID = 180;
  const PIXELS = (() => {
    const rows = Math.round(GRID * HALF_ROOT);
    const frame = { side: GRID, left: 0, bottom: rows };
    const [places, logs] = [[], []];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < GRID; column++) {
        const point = toSimplex(frame, column + 0.5, row + 0.5).map((value) => Math.max(value, 0.002));
        const total = point[0] + point[1] + point[2];
        if (total > 1.03) continue;
        places.push(4 * (row * GRID + column));
        logs.push(...point.map((value) => Math.log(value / total)));
      }
    }
    return { rows, places, logs };
  })();

  const [PALEST, RANGE] = [Math.log(PALE), Math.log(FULL / PALE)];
  const shade = (logDensity) => Math.min(Math.max((logDensity - PALEST) / RANGE, 0), 1);

  function rgb(colour) {
    const number = parseInt(colour.slice(1), 16);
    return [number >> 16, (number >> 8) & 255, number & 255];
  }

  const SHEET = Object.assign(document.createElement("canvas"), { width: GRID, height: PIXELS.rows });
  const IMAGE = SHEET.getContext("2d").createImageData(GRID, PIXELS.rows);

  function drawDensity(pen, frame, logits, temperature) {
    const { data } = IMAGE;
    const [red, green, blue] = rgb(pen.colours.categories[0]);
    const densities = logDensities(PIXELS.logs, logits, temperature);
    PIXELS.places.forEach((place, i) => {
      data[place] = red;
      data[place + 1] = green;
      data[place + 2] = blue;
      data[place + 3] = 255 * shade(densities[i]);
    });
    SHEET.getContext("2d").putImageData(IMAGE, 0, 0);
    pen.ctx.save();
    outline(pen, frame);
    pen.ctx.clip();
    pen.ctx.drawImage(SHEET, frame.left, frame.top, frame.side, frame.bottom - frame.top);
    pen.ctx.restore();
  }

  function outline({ ctx }, frame) {
    ctx.beginPath();
    for (const corner of [0, 1, 2]) ctx.lineTo(...toPlane(frame, Laws.oneHot(corner, 3)));
    ctx.closePath();
  }

  function drawTriangle(pen, frame) {
    outline(pen, frame);
    Object.assign(pen.ctx, { strokeStyle: pen.colours.muted, lineWidth: 1 });
    pen.ctx.stroke();
    const { side, left, top, bottom } = frame;
    // Clear of a sample that is marked in the corner.
    const places = [[left + side / 2, top - 20], [left - 18, bottom + 16], [left + side + 21, bottom + 16]];
    places.forEach(([x, y], category) => {
      pen.mark(category, x - 7, y, { size: 4.5 });
      pen.text(String(category + 1), x + 2, y, { base: "middle" });
    });
  }

  // A picture of a dot for each colour, which is stamped where the samples are.
  const stamps = new Map();
  function stampOf(colour) {
    if (!stamps.has(colour)) {
      const stamp = Object.assign(document.createElement("canvas"), { width: 12, height: 12 });
      const ctx = stamp.getContext("2d");
      Object.assign(ctx, { fillStyle: colour, globalAlpha: 0.6 });
      ctx.arc(6, 6, 5, 0, 2 * Math.PI);
      ctx.fill();
      stamps.set(colour, stamp);
    }
    return stamps.get(colour);
  }

  function drawSamples(pen, frame, points) {
    const dots = pen.colours.categories.map(stampOf);
    for (const { relaxed, winner } of points) {
      const [x, y] = toPlane(frame, relaxed);
      pen.ctx.drawImage(dots[winner], x - 2.4, y - 2.4, 4.8, 4.8);
    }
  }

  const PATH = Array.from({ length: 90 }, (_, i) => 100 * 0.00005 ** (i / 89));

  function drawChosen(pen, frame, logits, noise, temperature) {
    const colour = pen.colours.ink;
    const path = PATH.map((one) => toPlane(frame, relax(logits, noise, one)));
    pen.line(path, { colour: pen.colours.ground, width: 4 });
    pen.line(path, { colour, width: 1.5 });
    const [x, y] = toPlane(frame, relax(logits, noise, temperature));
    pen.mark(argmax(perturb(logits, noise)), x, y, { size: 6.5 });
    Object.assign(pen.ctx, { strokeStyle: colour, lineWidth: 1.5 });
    pen.ctx.beginPath();
    pen.ctx.arc(x, y, 10, 0, 2 * Math.PI);
    pen.ctx.stroke();
  }

  // Pi is a ring, the mean a filled diamond that fits into it; a line is the gap between them.
  function drawMean(pen, frame, probs, mean) {
    const { ground } = pen.colours;
    const [from, to] = [toPlane(frame, probs), toPlane(frame, mean)];
    pen.line([from, to], { colour: ground, width: 5 });
    pen.line([from, to], { width: 2 });
    drawRing(pen, from);
    drawDiamond(pen, to);
  }

  function drawRing(pen, [x, y]) {
    const { ctx, colours: { ink, ground } } = pen;
    ctx.beginPath();
    ctx.arc(x, y, 10, 0, 2 * Math.PI);
    Object.assign(ctx, { fillStyle: ground, strokeStyle: ink, lineWidth: 2.5 });
    ctx.fill();
    ctx.stroke();
  }

  function drawDiamond(pen, [x, y]) {
    pen.mark(3, x, y, { size: 7, colour: pen.colours.ground });
    pen.mark(3, x, y, { size: 5, colour: pen.colours.ink });
  }

  // Beside the triangle, or below it on a phone: the mean as bars, pi as a stroke across each.
  function drawBars(pen, frame, probs, mean) {
    const { wide, side, left, top, bottom } = frame;
    const [x, y] = wide ? [left + side + 50, top + 20] : [0, bottom + 44];
    const room = pen.width - x - 112;
    drawRing(pen, [x + 12, y]);
    pen.line([[x + 31, y - 11], [x + 31, y + 11]], { width: 2.5 });
    pen.text("π", x + 38, y + 5, { math: true, size: 17 });
    drawDiamond(pen, [x + 70, y]);
    pen.text("mean of", x + 82, y + 5);
    pen.text("y", x + 137, y + 5, { math: true, size: 17 });
    pen.text("π", x + 26 + room + 86, y + 5, { align: "right", math: true, size: 17, colour: pen.colours.muted });
    probs.forEach((prob, i) => {
      const row = y + 34 + 27 * i;
      pen.mark(i, x + 9, row, { size: 4.5 });
      pen.bar(x + 26, row - 7, room, 14, pen.colours.faint);
      pen.bar(x + 26, row - 7, room * mean[i], 14, pen.colours.categories[i]);
      const at = x + 26 + room * prob;
      pen.line([[at, row - 11], [at, row + 11]], { colour: pen.colours.ground, width: 6 });
      pen.line([[at, row - 11], [at, row + 11]], { width: 2.5 });
      pen.text(mean[i].toFixed(3), x + 26 + room + 46, row + 5, { align: "right" });
      pen.text(prob.toFixed(2), x + 26 + room + 86, row + 5, { align: "right", colour: pen.colours.muted });
    });
    return [x, y + 34 + 27 * 3];
  }

  function drawScale(pen, [x, y]) {
    const room = pen.width - x - 112;
    const [colour] = pen.colours.categories;
    const shades = pen.ctx.createLinearGradient(x + 26, 0, x + 26 + room, 0);
    shades.addColorStop(0, `${colour}00`);
    shades.addColorStop(1, colour);
    pen.bar(x + 26, y + 4, room, 12, shades);
    for (const tick of [0.1, 1, 10, 100]) {
      pen.text(String(tick), x + 26 + room * shade(Math.log(tick)), y + 34, { align: "center", size: 13, colour: pen.colours.muted });
    }
    pen.text("density", x + 26 + room + 12, y + 16, { size: 13, colour: pen.colours.muted });
  }

  function start(figure) {
    let probs = START;
    let chosen = 129; // two categories share it until it is cold: its way bends
    const logits = () => probs.map(Math.log);
    const frame = () => frameOf(figure.width);
    const samples = NOISE.map((noise) => ({ relaxed: new Float64Array(noise.length), winner: 0 }));

    // All of them as they are now.
    function points() {
      const [ell, tau] = [logits(), temperature()];
      samples.forEach((sample, i) => (sample.winner = relaxInto(sample.relaxed, ell, NOISE[i], tau)));
      return samples;
    }

    const slider = figure.slider({
      label: 'temperature <i class="figure-math">τ</i>',
      low: COLDEST, high: HOTTEST, step: 1, value: 0,
      text: (place) => percent(toTemperature(place)),
    });
    const temperature = () => toTemperature(slider.value);
    const view = figure.choice({ label: "show", options: [["samples", "samples"], ["density", "density"]], value: "samples" });
    figure.player({ label: "cool down", slider, pace: -24, from: () => HOTTEST });
    figure.button({ label: "another sample", press: () => (chosen = (chosen + 1) % NOISE.length) });
    figure.button({ label: 'equal <i class="figure-math">π</i>', press: () => (probs = probs === EQUAL ? START : EQUAL) });

    figure.handle({
      name: () => `π = ${vector(probs)}; drag it, or move it with the arrow keys`,
      place: () => toPlane(frame(), probs),
      drag: (x, y) => (probs = inside(toSimplex(frame(), x, y))),
      step(right, up) {
        const [x, y] = toPlane(frame(), probs);
        probs = inside(toSimplex(frame(), x + 8 * right, y - 8 * up));
      },
    });

    figure.tap((x, y) => {
      const distances = points().map(({ relaxed }) => Math.hypot(...toPlane(frame(), relaxed).map((value, i) => value - [x, y][i])));
      chosen = distances.indexOf(Math.min(...distances));
    });

    function draw(pen) {
      const ell = logits();
      const mean = relaxedMean(probs, temperature(), 6);
      if (view.value === "density") drawDensity(pen, frame(), ell, temperature());
      else drawSamples(pen, frame(), points());
      drawTriangle(pen, frame());
      drawChosen(pen, frame(), ell, NOISE[chosen], temperature());
      drawMean(pen, frame(), probs, mean);
      const below = drawBars(pen, frame(), probs, mean);
      if (view.value === "density") drawScale(pen, below);
    }

    function sentence() {
      const mean = relaxedMean(probs, temperature(), 6);
      const gap = totalVariation(mean, probs).toFixed(3);
      const start = `At temperature ${percent(temperature())} the mean of y is ${vector(mean, 3)}, and π is ${vector(probs)}: ${gap} apart in total variation.`;
      if (view.value === "density") {
        const centre = Math.exp(logDensity(EQUAL, logits(), temperature()));
        return `${start} The density at the centre is ${Number(centre.toPrecision(2))}.`;
      }
      const sample = relax(logits(), NOISE[chosen], temperature());
      const near = points().filter(({ relaxed, winner }) => relaxed[winner] > 0.99).length / NOISE.length;
      return `${start} Of the samples ${Math.round(100 * near)}\u00a0% are one-hot to a hundredth; the marked one is ${vector(sample)}.`;
    }

    return { draw, sentence };
  }

  Figures.define("triangle", {
    title: "Temperature on the triangle",
    description: "A triangle whose corners are the three one-hot vectors, with 1500 relaxed samples or their density, the law π and the mean of the samples.",
    caption: "Lowering the temperature moves the samples from the centre of the simplex to its corners, and no sample changes its winner. "
      + "The same 1500 noise vectors at every temperature, coloured by the category that wins; the line is the way of one of them, from the hottest to the coldest. "
      + "The mean of all samples (diamond) is <i class=\"figure-math\">π</i> (ring) only when it is cold, but for equal probabilities; drag <i class=\"figure-math\">π</i>, and touch a sample to follow it.",
    height: heightOf,
    start,
  });
})();
