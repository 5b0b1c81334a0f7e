// needs: frame.js digits.js training-data.js decoder-maths.js
// A recorded training: what the model makes of ten digits at forty stages, and both bounds.
"use strict";

(() => {
  const { fromLevels } = Decoder;
  const DATA = FigureData.training;
  const LAST = DATA.step.length - 1;
  const SECONDS = 0.3; // that a stage stays while the training plays
  const [LOWEST, HIGHEST] = [14, 46];
  const LINES = [
    ["test", "test images", []],
    ["train", "training images", [8, 4]],
    ["relaxed", "relaxed, training images", [2, 3]],
  ];
  const shown = fromLevels(DATA.shown);
  const thousands = (value) => value.toLocaleString("en");

  function start(figure) {
    const stage = figure.slider({
      label: "training step", low: 0, high: LAST, step: 1, value: LAST, text: (at) => thousands(DATA.step[at]),
    });
    figure.player({ label: "play", slider: stage, pace: 1 / SECONDS });

    const left = () => (figure.width >= 540 ? 128 : 0);
    // The frame of an image is a pixel outside it.
    const tile = () => (figure.width - left() - 9 * 5 - 1) / 10;
    const rowTop = (row) => (left() ? 1 + row * (tile() + 8) : 20 + row * (tile() + 28));
    const plotTop = () => rowTop(3) + (left() ? 16 : 2);

    function drawRow(pen, row, name, levels) {
      const top = rowTop(row);
      if (left()) pen.text(name, left() - 12, top + tile() / 2 + 5, { align: "right" });
      else pen.text(name, 0, top - 6, { size: 14 });
      for (let image = 0; image < 10; image++) {
        Digits.draw(pen, levels.slice(64 * image, 64 * (image + 1)), left() + image * (tile() + 5), top, tile());
      }
    }

    // Steps on a logarithmic axis that begins at the untrained model.
    const share = (step) => Math.log1p(step / 8) / Math.log1p(DATA.step[LAST] / 8);
    const across = (step) => 34 + share(step) * (figure.width - 42);
    const floor = () => figure.height - 26;
    const up = (value) => floor() - ((value - LOWEST) / (HIGHEST - LOWEST)) * (floor() - plotTop() - 10);

    function drawBounds(pen) {
      const { muted, faint, ground, link, categories } = pen.colours;
      for (const value of [20, 30, 40]) {
        pen.line([[34, up(value)], [pen.width, up(value)]], { colour: faint });
        pen.text(String(value), 28, up(value) + 4, { align: "right", size: 13, colour: muted });
      }
      for (const step of [0, 10, 100, 1000]) {
        pen.text(thousands(step), across(step), floor() + 18, { align: "center", size: 13, colour: muted });
      }
      pen.text(thousands(DATA.step[LAST]), pen.width, floor() + 18, { align: "right", size: 13, colour: muted });
      const now = across(DATA.step[stage.value]);
      pen.line([[now, plotTop()], [now, floor()]], { colour: link, width: 2 });
      // Under the words, over the lines of the axis and that of the step.
      pen.bar(pen.width - 212, plotTop() - 4, 212, 74, ground);
      pen.bar(36, plotTop() - 4, 92, 17, ground);
      LINES.forEach(([key, name, dash], line) => {
        const colour = categories[line];
        pen.line(DATA[key].map((value, at) => [across(DATA.step[at]), up(value)]), { colour, width: 2.5, dash });
        pen.mark(line, now, up(DATA[key][stage.value]), { size: 5 });
        const [x, y] = [pen.width - 206, plotTop() + 20 + 21 * line];
        pen.line([[x, y - 5], [x + 26, y - 5]], { colour, width: 2.5, dash });
        pen.text(name, x + 34, y, { size: 14 });
      });
      pen.text("nats per image", 40, plotTop() + 8, { size: 13, colour: muted });
    }

    function draw(pen) {
      drawRow(pen, 0, "test image", shown);
      drawRow(pen, 1, "discrete code", fromLevels(DATA.hard[stage.value]));
      drawRow(pen, 2, "relaxed code", fromLevels(DATA.soft[stage.value]));
      drawBounds(pen);
    }

    function sentence() {
      const at = stage.value;
      const nats = (key) => DATA[key][at].toFixed(1);
      return `Step ${thousands(DATA.step[at])}, temperature ${DATA.temperature[at].toFixed(2)}: `
        + `on training images the relaxed objective is ${nats("relaxed")} nats and the discrete bound ${nats("train")}; `
        + `on test images the bound is ${nats("test")}. ${DATA.active[at]} of 10 variables are in use.`;
    }

    return { draw, sentence };
  }

  function heightOf(width) {
    const wide = width >= 540;
    const tile = (width - (wide ? 128 : 0) - 45) / 10;
    return Math.round(wide ? 3 * (tile + 8) + 16 + 220 : 22 + 3 * (tile + 28) + 210);
  }

  Figures.define("training", {
    title: "A recorded training",
    description: "Ten digits and their reconstructions through discrete and through relaxed codes, above the curves of the negative bounds against the training step.",
    caption: "Nothing, then the mean digit, then the digits. "
      + "A run of this chapter’s model, recorded at forty stages: ten test images and what it makes of them through a discrete and through a relaxed code, on the same noise. "
      + "Below, the negative bound at discrete codes and the relaxed objective, against the step on a logarithmic axis.",
    height: heightOf,
    start,
  });
})();
