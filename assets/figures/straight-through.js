// needs: frame.js laws.js
// The straight-through step: what goes forward, what comes back, and what both are on average.
"use strict";

(() => {
  const { exactGradient, gumbels, meanPasses, passes, perturb } = Laws;
  const LOGITS = [6, 3, 1].map(Math.log);
  const NOISE = gumbels(6, 4000, 3);
  // The second category wins, and the relaxed sample shares with the others: every number has something to show.
  const FIRST = 22;
  const toTemperature = (place) => 10 ** (place / 50);
  const CODE = {
    soft: "sample = y",
    hard: "sample = z + (y − y.detach())",
    detached: "sample = z",
  };
  const PASSED = {
    soft: "the relaxed sample y goes forward and its derivative back",
    hard: "the one-hot z goes forward and the derivative of y back",
    detached: "the one-hot z goes forward and nothing comes back",
  };

  const signed = (value) => (Math.abs(value) < 0.005 ? "0.00" : value.toFixed(2).replace("-", "−"));
  const list = (values) => `(${values.map(signed).join(", ")})`;

  // Beneath a bar there is room for a digit or two; the table and the sentence have the rest.
  function brief(value, short) {
    if (!short) return signed(value);
    if (Math.abs(value) >= 9.95) return value.toFixed(0).replace("-", "−");
    return Math.abs(value) < 0.05 ? "0" : value.toFixed(1).replace("-", "−").replace(/^(−?)0\./, "$1.");
  }

  const widthOf = (room) => Math.min(room * 0.72, 104);
  const isShort = (room) => widthOf(room) < 80;

  // No column of a phone holds a mean and its error in one line.
  const withError = ({ mean, error }, narrow) =>
    signed(mean) + (error < 0.005 ? "" : `${narrow ? "\n" : "\u00a0"}±\u00a0${error.toFixed(2)}`);

  // Four stations from left to right, in two rows: forward above, backward below.
  function placesOf(width) {
    const room = width / 4;
    return {
      room,
      high: 64,
      rows: [56, 206],
      xs: [0, 1, 2, 3].map((i) => room * i),
    };
  }

  function start(figure) {
    let drawn = FIRST;
    const kind = figure.choice({
      label: "sample", options: [["soft", "soft"], ["hard", "hard"], ["detached", "detached"]], value: "hard",
    });
    const loss = figure.choice({
      label: "loss",
      options: [
        ["linear", '<i class="figure-math">z</i><sub>1</sub> + 2<i class="figure-math">z</i><sub>2</sub> + 3<i class="figure-math">z</i><sub>3</sub>'],
        ["cubic", '(<i class="figure-math">z</i><sub>2</sub> + 2<i class="figure-math">z</i><sub>3</sub>)<sup>3</sup>'],
      ],
      value: "linear",
    });
    const slider = figure.slider({
      label: 'temperature <i class="figure-math">τ</i>', low: -50, high: 50, step: 1, value: -15,
      text: (place) => toTemperature(place).toFixed(2),
    });
    figure.button({ label: "new noise", press: () => (drawn = (drawn + 1) % NOISE.length) });

    const passesOf = (noise) => passes(LOGITS, noise, toTemperature(slider.value), loss.value, kind.value);
    const table = makeTable();
    figure.append(table.element);

    // The means change with the controls alone, not with the size or the theme of the page.
    let known;
    function means() {
      const key = `${kind.value} ${loss.value} ${slider.value}`;
      if (known?.key !== key) {
        const [value, ...gradient] = meanPasses(LOGITS, NOISE, toTemperature(slider.value), loss.value, kind.value);
        known = { key, value, gradient };
      }
      return known;
    }

    function draw(pen) {
      const noise = NOISE[drawn];
      const one = passesOf(noise);
      const places = placesOf(pen.width);
      const onehot = passes(LOGITS, noise, 1, "linear", "hard").sample;
      drawForward(pen, places, perturb(LOGITS, noise), one, onehot);
      drawBackward(pen, places, one);
      table.fill(one, means(), exactGradient(LOGITS, loss.value));
    }

    function drawForward(pen, places, perturbed, one, onehot) {
      const { muted, ink } = pen.colours;
      const y = places.rows[0];
      const hard = kind.value !== "soft";
      title(pen, places, y, "forward");
      station(pen, places, 0, y, "ℓ + G", perturbed, 3, ink);
      station(pen, places, 1, y, "y", one.relaxed, 1, ink);
      station(pen, places, 2, y, "z", onehot, 1, hard ? ink : muted, !hard);
      arrow(pen, places, 0, 1, y);
      arrow(pen, places, 1, hard ? 2 : 3, y);
      if (hard) arrow(pen, places, 2, 3, y);
      result(pen, places, y, "f", one.value);
    }

    function drawBackward(pen, places, one) {
      const { ink, muted } = pen.colours;
      const y = places.rows[1];
      const most = (values, least) => Math.max(least, ...values.map(Math.abs));
      const stopped = kind.value === "detached";
      const at = kind.value === "soft" ? 1 : 2;
      title(pen, places, y, "backward");
      station(pen, places, 0, y, "∂f/∂ℓ", one.gradient, most(one.gradient, 0.5), stopped ? muted : ink);
      station(pen, places, at, y, at === 1 ? "∇f(y)" : "∇f(z)", one.slope, most(one.slope, 1), ink);
      arrow(pen, places, 3, at, y);
      if (stopped) cross(pen, places, y);
      else arrow(pen, places, 1, 0, y);
      if (kind.value === "hard") {
        arrow(pen, places, 2, 1, y);
        const x = places.xs[1] + places.room / 2;
        const middle = y + places.high / 2;
        pen.text("through", x, middle - 6, { align: "center", size: 14 });
        pen.text("∂y/∂ℓ", x, middle + 13, { align: "center", size: 16, math: true });
      }
    }

    function title(pen, places, y, words) {
      pen.text(words, 0, y - 36, { size: 15, bold: true });
    }

    function station(pen, { room, high, xs }, at, y, name, values, scale, colour, pale = false) {
      const wide = widthOf(room);
      const short = isShort(room);
      const slot = wide / values.length;
      // Numbers may stand wider than their bars, below the arrows.
      const pitch = short ? (0.86 * room) / values.length : slot;
      const size = short || values.some((value) => value < 0) ? 11 : 12;
      const x = xs[at] + (room - wide) / 2;
      const zero = y + high * (values.some((value) => value < 0) ? 0.55 : 1);
      const part = values.some((value) => value < 0) ? 0.5 * high : high;
      pen.ctx.globalAlpha = pale ? 0.35 : 1;
      values.forEach((value, i) => {
        const tall = (part * Math.max(Math.min(value / scale, 1), -1));
        pen.bar(x + slot * (i + 0.15), zero - Math.max(tall, 0), slot * 0.7, Math.abs(tall), pen.colours.categories[i]);
        pen.text(brief(value, short), x + wide / 2 + pitch * (i - 1), y + high + 16, { align: "center", size, colour });
      });
      pen.line([[x, zero], [x + wide, zero]], { colour: pen.colours.muted });
      pen.ctx.globalAlpha = 1;
      pen.text(name, x + wide / 2, y - 9, { align: "center", size: 16, math: true, colour });
    }

    function result(pen, { room, high, xs }, y, name, value) {
      const x = xs[3] + room / 2;
      pen.text(name, x, y - 9, { align: "center", size: 16, math: true });
      pen.text(signed(value), x, y + high / 2 + 8, { align: "center", size: 22 });
    }

    // An arrow along the middle, or below a station that it passes by.
    function arrow(pen, { room, high, xs }, from, to, y) {
      const way = Math.sign(to - from);
      const gap = widthOf(room) / 2 + 4;
      const [start, end] = [xs[from] + room / 2 + way * gap, xs[to] + room / 2 - way * gap];
      const level = y + high / 2;
      if (Math.abs(to - from) === 1 || way < 0) {
        pen.line([[start, level], [end, level]], { width: 1.5 });
      } else {
        const below = y + high + 30;
        pen.line([[start, level], [start + 6, level], [start + 6, below], [end - 12, below], [end - 12, level], [end, level]], { width: 1.5 });
      }
      head(pen, end, level, way, 0);
    }

    function head(pen, x, y, dx, dy) {
      pen.line([[x - 5 * dx - 4 * dy, y - 5 * dy - 4 * dx], [x, y], [x - 5 * dx + 4 * dy, y - 5 * dy + 4 * dx]], { width: 1.5 });
    }

    function cross(pen, { room, high, xs }, y) {
      const [x, level] = [xs[1] + room / 2, y + high / 2];
      pen.line([[xs[2] + room / 2 - widthOf(room) / 2 - 4, level], [x, level]], { width: 1.5, dash: [4, 4] });
      for (const way of [1, -1]) pen.line([[x - 7, level - 7 * way], [x + 7, level + 7 * way]], { width: 2.5 });
      pen.text("nothing", x, level + 26, { align: "center", size: 14 });
    }

    function makeTable() {
      const element = document.createElement("table");
      element.className = "figure-table";
      const head = `<thead><tr><td></td><th scope="col"><i class="figure-math">f</i>, forward</th>${[1, 2, 3]
        .map((i) => `<th scope="col">back to <i class="figure-math">ℓ</i><sub>${i}</sub></th>`).join("")}</tr></thead>`;
      const rows = ["this draw", "mean", "exact"];
      element.innerHTML = head + `<tbody>${rows.map((name) => `<tr><th scope="row">${name}</th>${"<td></td>".repeat(4)}</tr>`).join("")}</tbody>`;
      const body = [...element.tBodies[0].rows].map((row) => [...row.querySelectorAll("td")]);
      element.tBodies[0].style.verticalAlign = "baseline";
      for (const cell of body[1]) cell.style.whiteSpace = "pre";
      return {
        element,
        fill(one, mean, exact) {
          const shown = [
            [one.value, ...one.gradient].map(signed),
            [mean.value, ...mean.gradient].map((one) => withError(one, isShort(figure.width / 4))),
            [exact.value, ...exact.gradient].map(signed),
          ];
          shown.forEach((row, i) => row.forEach((text, j) => Figures.write(body[i][j], text)));
        },
      };
    }

    function sentence() {
      const one = passesOf(NOISE[drawn]);
      const exact = exactGradient(LOGITS, loss.value);
      const { value, gradient } = means();
      return `${CODE[kind.value]}: ${PASSED[kind.value]}. In this draw f is ${signed(one.value)} and the gradient ${list(one.gradient)}; `
        + `on average over ${NOISE.length} draws ${signed(value.mean)} and ${list(gradient.map((entry) => entry.mean))}, where ${signed(exact.value)} and ${list(exact.gradient)} are exact.`;
    }

    return { draw, sentence };
  }

  Figures.define("straight-through", {
    title: "The straight-through step",
    description: "Two rows of bars: forward from the perturbed logits to the relaxed sample, the one-hot sample and the loss, and backward from the slope of the loss to the gradient in the logits.",
    caption: "Straight-through reads the loss at one point and moves another. "
      + 'Soft: the relaxed sample <i class="figure-math">y</i> both ways. '
      + 'Hard: forward the one-hot <i class="figure-math">z</i>, whose loss is right on average, and backward the slope at <i class="figure-math">z</i> as if it were that at <i class="figure-math">y</i>. '
      + 'Detached: without the bracket of straight-through nothing comes back at all.',
    height: () => 300,
    start,
  });
})();
