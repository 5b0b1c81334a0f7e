// needs: frame.js laws.js logits-data.js logits-maths.js
// Two samplers with one noise, on recorded logits: both laws, what both draw, and the agreement between its bounds.
"use strict";

(() => {
  const { agreement, agreementBounds, chance, decode, entropy, law, shares, totalVariation, winners } = Logits;
  const { quantile, uniforms } = Laws;
  const ROWS = FigureData.logits.rows.map((row) => ({ ...row, ...decode(row) }));
  const DRAWS = 200; // at a time
  const PART = 20; // of them in a frame: each takes the noise of two thousand values
  const WIDE = 540;
  const MOST = Math.max(...ROWS.map(({ values }) => values.length));
  const NAMES = ROWS.map((row) => `… ${row.after} …`);

  // The laws, and beside them, or below on a phone, the plane of distance and agreement.
  function partsOf(width) {
    const wide = width >= WIDE;
    const bars = { x: 92, y: 34, width: (wide ? 0.6 * width : width) - 92 - 46, height: 7 * (wide ? 36 : 26) };
    const side = wide ? 0.4 * width - 50 : Math.min(width - 60, 200);
    const plane = { x: wide ? width - side - 6 : 46, y: wide ? 34 : bars.y + bars.height + 38, width: side, height: Math.min(side, wide ? bars.height : 160) };
    return { bars, plane };
  }

  function heightOf(width) {
    const { bars, plane } = partsOf(width);
    return Math.max(bars.y + bars.height + 12, plane.y + plane.height + 44);
  }

  function start(figure) {
    const next = uniforms(9);
    let noise, counted = 0, agreed = 0;
    const where = figure.menu({ label: "after", options: NAMES, value: NAMES[2], change: forget });
    const [first, second] = [["first", 1], ["second", 0.6]].map(([name, value]) =>
      figure.slider({
        label: `${name} temperature`, low: 0.3, high: 2, step: 0.05, value, text: (tau) => tau.toFixed(2), change: forget,
      }),
    );
    const kind = figure.choice({
      label: "noise", options: [["one", "one for both"], ["own", "one each"]], value: "one", change: forget,
    });
    figure.button({ label: `${DRAWS} more draws`, press: more });

    const row = () => ROWS[NAMES.indexOf(where.value)];

    // The noise stays, also for another row, so that a change shows what it alone has done.
    function forget() {
      figure.stop();
      counted = agreed = 0;
    }

    function deal(values) {
      for (let i = 0; i < values.length; i++) values[i] = quantile(next());
    }

    function more() {
      look();
      let left = DRAWS;
      figure.animate((seconds) => {
        const draws = seconds === Infinity ? left : PART;
        const part = noise.subarray(0, draws * row().values.length);
        deal(part);
        count(part, draws);
        left -= draws;
        return left > 0;
      });
    }

    // With noise of its own the second sampler has that of the next draw.
    function count(values, draws) {
      const apart = kind.value === "one" ? 0 : 1;
      const [one, other] = [first, second].map(({ value }) => winners(row(), value, values, draws));
      one.forEach((token, draw) => {
        // Tokens of one value share their noise, or are alike as often as chance has it.
        const alike = token === other[(draw + apart) % draws];
        agreed += alike && (kind.value === "one" || next() * row().counts[token] < 1);
      });
      counted += draws;
    }

    // Nothing is drawn before somebody looks.
    function look() {
      if (!noise) deal((noise = new Float64Array(DRAWS * MOST)));
      if (!counted) count(noise, DRAWS);
    }

    function numbers() {
      look();
      const temperatures = [first.value, second.value];
      const distance = totalVariation(row(), ...temperatures);
      const together = agreement(row(), ...temperatures);
      const exact = kind.value === "one" ? together : chance(row(), ...temperatures);
      return { distance, exact, together, bounds: agreementBounds(distance), share: agreed / counted };
    }

    // Of the tokens that are named, and of all others together.
    function parts() {
      const [p, q] = [law(row(), first.value), law(row(), second.value)];
      const both = kind.value === "one" ? shares(row(), first.value, second.value) : p.map((prob, i) => prob * q[i]);
      const named = row().top.length;
      const lines = [p, q, both].map((each) => {
        const one = each.slice(0, named);
        const rest = each.reduce((total, value, i) => total + (i < named ? 0 : row().counts[i] * value), 0);
        return [...one, rest];
      });
      return row().top.concat("all others").map((name, i) => ({ name, law: lines.slice(0, 2).map((line) => line[i]), both: lines[2][i] }));
    }

    function drawBars(pen, box) {
      const { muted, categories, ink } = pen.colours;
      const lines = parts();
      const longest = Math.max(...lines.flatMap((line) => line.law));
      const slot = box.height / lines.length;
      const [gap, size] = slot < 30 ? [2, 11] : [3, 13];
      lines.forEach((line, i) => {
        const y = box.y + slot * i;
        pen.text(line.name, box.x - 10, y + slot / 2 + 5, { align: "right", colour: i < lines.length - 1 ? ink : muted });
        line.law.forEach((prob, which) => {
          const [top, high] = [y + gap + 1 + which * (slot / 2 - gap), slot / 2 - gap - 2];
          const wide = (value) => (box.width * value) / longest;
          pen.ctx.globalAlpha = 0.45;
          pen.bar(box.x, top, wide(prob), high, categories[which]);
          pen.ctx.globalAlpha = 1;
          pen.bar(box.x, top, wide(line.both), high, categories[which]);
          pen.text(prob.toFixed(2), box.x + wide(prob) + 6, top + high / 2 + size / 3, { size, colour: muted });
        });
      });
      pen.line([[box.x, box.y], [box.x, box.y + box.height]], { colour: muted });
    }

    function drawLegend(pen, box) {
      const { categories } = pen.colours;
      let x = Math.max(box.x - 80, 4);
      [["first", 0], ["second", 1]].forEach(([name, which]) => {
        pen.bar(x, 6, 14, 12, categories[which]);
        x += 20 + pen.text(name, x + 20, 17) + 18;
      });
      pen.ctx.globalAlpha = 0.45;
      pen.bar(x + 14, 6, 14, 12, categories[0]);
      pen.ctx.globalAlpha = 1;
      pen.bar(x, 6, 14, 12, categories[0]);
      pen.text("strong: both", x + 34, 17);
    }

    function drawPlane(pen, box, { distance, exact, bounds, share }) {
      const { muted, faint, ink, categories } = pen.colours;
      const across = (value) => box.x + box.width * value;
      const up = (value) => box.y + box.height * (1 - value);
      for (const tick of [0, 0.5, 1]) {
        pen.line([[box.x, up(tick)], [box.x + box.width, up(tick)]], { colour: faint });
        pen.text(String(tick), box.x - 8, up(tick) + 5, { align: "right", size: 13, colour: muted });
        pen.text(String(tick), across(tick), box.y + box.height + 18, { align: "center", size: 13, colour: muted });
      }
      const grid = Array.from({ length: 51 }, (_, i) => i / 50);
      for (const which of [0, 1]) {
        pen.line(grid.map((value) => [across(value), up(agreementBounds(value)[which])]), { colour: muted, width: 1.5 });
      }
      pen.line([[across(distance), up(0)], [across(distance), up(bounds[1])]], { colour: muted, dash: [4, 4] });
      pen.mark(1, across(distance), up(share), { size: 7, filled: false, colour: categories[2] });
      pen.mark(0, across(distance), up(exact), { size: 4.5, colour: ink });
      pen.text("agreement", box.x, box.y - 12, { size: 14 });
      pen.text("total variation", box.x + box.width, box.y + box.height + 37, { size: 14, align: "right" });
      drawKey(pen, box);
    }

    // Above the curves, where nothing can be.
    function drawKey(pen, box) {
      const x = box.x + box.width;
      pen.text("computed", x - 14, box.y + 20, { size: 14, align: "right" });
      pen.mark(0, x - 5, box.y + 15, { size: 4.5, colour: pen.colours.ink });
      pen.text("drawn", x - 14, box.y + 40, { size: 14, align: "right" });
      pen.mark(1, x - 5, box.y + 35, { size: 6, filled: false, colour: pen.colours.categories[2] });
    }

    function draw(pen) {
      const { bars, plane } = partsOf(figure.width);
      drawLegend(pen, bars);
      drawBars(pen, bars);
      drawPlane(pen, plane, numbers());
    }

    function sentence() {
      const { distance, exact, together, bounds, share } = numbers();
      const within = kind.value === "one"
        ? `between the bounds ${bounds[0].toFixed(3)} and ${bounds[1].toFixed(3)}`
        : `which with one noise for both would be ${together.toFixed(3)}`;
      return `After “${row().after}”, entropy ${entropy(row(), 1).toFixed(2)} nats, the temperatures ${first.value.toFixed(2)} and `
        + `${second.value.toFixed(2)} are ${distance.toFixed(3)} apart in total variation. Both draw the same token with probability `
        + `${exact.toFixed(3)}, ${within}; of ${counted} pairs ${agreed} did, a share of ${share.toFixed(3)}.`;
    }

    return { draw, sentence };
  }

  Figures.define("coupling", {
    title: "Two samplers, one noise",
    description: "Pairs of bars, the probabilities of the likeliest tokens at two temperatures, each with a strong part that both samplers draw; "
      + "and a plane of total variation and agreement with two falling curves, the bounds, and the present pair between them.",
    caption: "With one noise two temperatures draw the same token nearly as often as any coupling could. "
      + "Bars: the laws of the next token on recorded logits; the strong part of a pair is drawn by both samplers at once. "
      + "Point and square: their agreement, computed and drawn, between the bounds that the total variation gives; with a noise each it is lower, mostly below both bounds.",
    height: heightOf,
    start,
  });
})();
