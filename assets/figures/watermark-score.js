// needs: frame.js laws.js logits-data.js logits-maths.js
// The score of the watermark's detector as a text grows, on recorded logits; and of a text without the mark.
"use strict";

(() => {
  const { decode, entropy, limit, meanScore, meanScoreBounds, pValue, score, winners } = Logits;
  const { quantile, uniforms } = Laws;
  const ROWS = FigureData.logits.rows.map(decode);
  const LONGEST = 60;
  const SIZE = 0.01; // of the test
  const PACE = 12; // tokens that are written a second
  // The rows take turns.
  const TURNS = LONGEST / ROWS.length;

  const raised = (digits) => [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
  const small = (p) => (p < 1e-3 ? p.toExponential(0).replace(/e-(.*)/, (_, power) => `·10⁻${raised(power)}`) : p.toFixed(3));

  // From nothing on: the sums of the first 0, 1, 2, ... values.
  function sums(values) {
    let total = 0;
    return [0, ...values.map((value) => (total += value))];
  }

  const tokens = (value) => Array.from({ length: LONGEST }, (_, token) => value(token));

  function start(figure) {
    const next = uniforms(4);
    let noises, others, limits;
    const length = figure.slider({ label: "tokens", low: 1, high: LONGEST, step: 1, value: LONGEST });
    const heat = figure.slider({
      label: "temperature", low: 0.2, high: 1.5, step: 0.05, value: 0.5, text: (tau) => tau.toFixed(2), change: forget,
    });
    figure.player({ label: "write", slider: length, pace: PACE });
    figure.button({ label: "another text", press: another });

    let marked, plain, mean, bounds;

    // Of all tokens of a row, one after the other.
    const noiseOf = (row) => Float64Array.from({ length: TURNS * row.values.length }, () => quantile(next()));

    // A row in each frame; until all are there the former text stays.
    function another() {
      look();
      const dealt = [];
      figure.animate((seconds) => {
        const end = seconds === Infinity ? ROWS.length : dealt.length + 1;
        while (dealt.length < end) dealt.push(noiseOf(ROWS[dealt.length]));
        if (dealt.length < ROWS.length) return true;
        noises = dealt;
        others = tokens(() => quantile(next()));
        forget();
        return false;
      });
    }

    function forget() {
      marked = undefined;
    }

    // Nothing is drawn before somebody looks.
    function look() {
      limits ??= tokens((token) => limit(token + 1, SIZE));
      noises ??= ROWS.map(noiseOf);
      others ??= tokens(() => quantile(next()));
      if (!marked) weigh();
    }

    function scoresOf(row, noise) {
      const count = row.values.length;
      return winners(row, heat.value, noise, TURNS).map((won, turn) => score(noise[turn * count + won]));
    }

    // The tokens of a text without the mark have noise of which they know nothing.
    function weigh() {
      const scores = ROWS.map((row, at) => scoresOf(row, noises[at]));
      marked = sums(tokens((token) => scores[token % ROWS.length][Math.floor(token / ROWS.length)]));
      plain = sums(others.map(score));
      const ofRows = (value) => ROWS.map((row) => value(row));
      const [means, entropies] = [ofRows((row) => meanScore(row, heat.value)), ofRows((row) => entropy(row, heat.value))];
      mean = sums(tokens((token) => means[token % ROWS.length]));
      bounds = [0, 1].map((which) => sums(tokens((token) => meanScoreBounds(entropies[token % ROWS.length])[which])));
    }

    const box = () => ({ left: 40, right: figure.width - 8, top: 34, bottom: figure.height - 44 });
    const highest = () => 1.15 * Math.max(bounds[1].at(-1), limits.at(-1), marked.at(-1));
    const across = (token) => box().left + ((box().right - box().left) * token) / LONGEST;
    const up = (value) => box().bottom - ((box().bottom - box().top) * value) / highest();
    const path = (values, from = 0) => values.map((value, i) => [across(i + from), up(value)]);

    function drawAxes(pen) {
      const { muted, faint } = pen.colours;
      const step = highest() > 250 ? 100 : highest() > 120 ? 50 : 25;
      for (let value = 0; value < highest(); value += step) {
        pen.line([[box().left, up(value)], [box().right, up(value)]], { colour: faint });
        pen.text(String(value), box().left - 8, up(value) + 5, { align: "right", size: 13, colour: muted });
      }
      for (let token = 0; token <= LONGEST; token += 20) {
        pen.text(String(token), across(token), box().bottom + 19, { align: "center", size: 13, colour: muted });
      }
      pen.text("score", 4, 18, { size: 14 });
      pen.text("tokens", box().right, box().bottom + 38, { align: "right", size: 14 });
    }

    function drawBounds(pen) {
      const { muted, faint, ink } = pen.colours;
      pen.ctx.fillStyle = faint;
      pen.ctx.globalAlpha = 0.7;
      pen.ctx.beginPath();
      for (const [x, y] of [...path(bounds[1]), ...path(bounds[0]).reverse()]) pen.ctx.lineTo(x, y);
      pen.ctx.fill();
      pen.ctx.globalAlpha = 1;
      pen.line(path(mean), { colour: muted, width: 1.5 });
      pen.line(path(limits, 1), { colour: ink, width: 1.5, dash: [2, 3] });
    }

    function drawTexts(pen) {
      const { categories } = pen.colours;
      const far = length.value + 1;
      pen.line(path(plain.slice(0, far)), { colour: categories[1], width: 2.5, dash: [8, 4] });
      pen.line(path(marked.slice(0, far)), { colour: categories[0], width: 2.5 });
      pen.mark(1, across(length.value), up(plain[length.value]), { size: 5, colour: categories[1] });
      pen.mark(0, across(length.value), up(marked[length.value]), { size: 5.5 });
      if (found() <= length.value) pen.mark(0, across(found()), up(marked[found()]), { size: 8, filled: false, colour: categories[0] });
    }

    // The first length at which the test finds the mark.
    const found = () => {
      const at = marked.findIndex((total, n) => n > 0 && total > limits[n - 1]);
      return at < 0 ? Infinity : at;
    };

    // On a ground, over the lines of the axis and below the curves.
    function drawLegend(pen) {
      const { categories, ink, faint, ground } = pen.colours;
      const lines = [
        ["with the mark", categories[0], []], ["without", categories[1], [8, 4]], ["limit of one in a hundred", ink, [2, 3]],
      ];
      pen.bar(box().left + 4, box().top, 192, 86, ground);
      lines.forEach(([name, colour, dash], i) => {
        const y = box().top + 14 + 21 * i;
        pen.line([[box().left + 10, y - 5], [box().left + 38, y - 5]], { colour, width: 2.5, dash });
        pen.text(name, box().left + 46, y, { size: 14 });
      });
      const y = box().top + 14 + 21 * lines.length;
      pen.bar(box().left + 10, y - 11, 28, 12, faint);
      pen.text("mean, and its bounds", box().left + 46, y, { size: 14 });
    }

    function draw(pen) {
      look();
      drawAxes(pen);
      drawLegend(pen);
      drawBounds(pen);
      drawTexts(pen);
    }

    function sentence() {
      look();
      const n = length.value;
      const doubt = ROWS.reduce((total, row) => total + entropy(row, heat.value), 0) / ROWS.length;
      const when = found() <= n ? `It was found at token ${found()}` : "It is not found yet";
      return `${n} ${n === 1 ? "token" : "tokens"} at temperature ${heat.value.toFixed(2)}, where a token has ${doubt.toFixed(2)} nats of entropy: `
        + `the marked text scores ${marked[n].toFixed(1)}, ${mean[n].toFixed(1)} on average, between ${bounds[0][n].toFixed(1)} and ${bounds[1][n].toFixed(1)}. `
        + `${when}, at the limit of one in a hundred; its p-value is ${small(pValue(marked[n], n))}. `
        + `The text without the mark scores ${plain[n].toFixed(1)}, p-value ${small(pValue(plain[n], n))}.`;
    }

    return { draw, sentence };
  }

  Figures.define("watermark-score", {
    title: "The score of a watermark",
    description: "Two lines against the number of tokens: the score of a marked text, which rises within a grey cone about its mean, and of a text without the mark, which stays below a dotted limit.",
    caption: "A marked text leaves the limit behind, the sooner the more its tokens were in doubt. "
      + "Five recorded rows of logits in turn: the score of a text with the watermark and of one without, the limit that one text in a hundred without it exceeds, "
      + "and the mean of the marked score between its bounds (grey), which come from the entropy alone. The colder, the flatter.",
    height: (width) => Math.min(Math.max(0.56 * width, 290), 360),
    start,
  });
})();
