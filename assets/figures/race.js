// needs: frame.js laws.js
// The exponential race and, read as -log of the time, Gumbel-Max; what has won so far, beside the law.
"use strict";

(() => {
  const { arrivals, orderProb, perturb, quantile, softmax, topK, totalVariation, uniforms } = Laws;
  const LOGITS = [6, 3, 1].map(Math.log);
  const PROBS = softmax(LOGITS);
  const PAIRS = [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]];
  const LAWS = { 1: PROBS, 2: PAIRS.map((pair) => orderProb(LOGITS, pair)) };
  const LONGEST = 1; // the end of the axis of time
  const LOW = -1.2, HIGH = 6; // of the axis of values
  const PACE = 0.16; // units of time that a run takes a second
  const MANY = 100;
  const WIDE = 540;
  const PLACE = 24; // the width of "2nd"

  const named = (categories) => categories.map((category) => category + 1).join(" ");

  // Three parts: the race and the values side by side, or one over the other on a phone, and the tally below.
  function partsOf(width) {
    const wide = width >= WIDE;
    const room = wide ? (width - 40) / 2 : width;
    const race = { x: 30, y: 34, width: room - 44, height: wide ? 190 : 120 };
    const values = { x: wide ? room + 40 + 34 : 34, y: wide ? 34 : 213, width: room - 48, height: wide ? 190 : 120 };
    const tally = { x: 6, y: values.y + values.height + (wide ? 66 : 63), width: width - 12, height: wide ? 90 : 66 };
    return { race, values, tally };
  }

  function heightOf(width) {
    const { tally } = partsOf(width);
    return tally.y + tally.height + 46;
  }

  function start(figure) {
    // The first run of these is one of the longer ones, with the marks well apart.
    const next = uniforms(715);
    let noise, times, order, now, run, counts;

    const stop = figure.choice({
      label: "stop after", options: [["1", "the first"], ["2", "the second"]], value: "1", change: forget,
    });
    figure.button({ label: "run", press: race });
    figure.button({ label: `${MANY} runs`, press: () => repeat(MANY) });
    figure.button({ label: "forget", press: forget });
    const k = () => Number(stop.value);

    function deal() {
      noise = LOGITS.map(() => quantile(next()));
      times = arrivals(LOGITS, noise);
      order = topK(LOGITS, noise, 3);
    }

    const end = () => times[order[k() - 1]];
    const isOver = () => now >= end();

    function count() {
      run += 1;
      counts[k() === 1 ? order[0] : PAIRS.findIndex(([one, two]) => one === order[0] && two === order[1])] += 1;
    }

    function forget() {
      counts = LAWS[k()].map(() => 0);
      run = 0;
      figure.stop();
      deal();
      now = end();
      count();
    }

    function race() {
      if (!isOver()) count();
      deal();
      now = 0;
      // The shortest races would be over before they are seen.
      const pace = Math.min(PACE, end() / 0.7);
      figure.animate((seconds) => {
        now = Math.min(now + pace * seconds, end());
        if (isOver()) count();
        return !isOver();
      });
    }

    function repeat(runs) {
      figure.stop();
      if (!isOver()) count();
      for (let i = 0; i < runs; i++) {
        deal();
        count();
      }
      now = end();
    }

    forget();

    function drawRace(pen, box) {
      const { muted, faint, ink } = pen.colours;
      const across = (time) => box.x + (box.width * Math.min(time, LONGEST)) / LONGEST;
      const said = pen.text("arrival at ", box.x, box.y - 16);
      pen.text("T", box.x + said + 2, box.y - 16, { math: true, size: 17 });
      times.forEach((time, category) => {
        const y = box.y + (box.height * (category + 0.5)) / 3;
        const arrived = time <= now;
        pen.mark(category, 10, y, { size: 5 });
        pen.line([[box.x, y], [across(LONGEST), y]], { colour: faint });
        pen.bar(box.x, y - 2, across(Math.min(time, now)) - box.x, 4, pen.colours.categories[category]);
        if (time > LONGEST) pen.text("›", across(LONGEST) + 4, y + 5, { colour: muted, size: 18 });
        else pen.mark(category, across(time), y, { size: 6.5, filled: arrived });
      });
      pen.line([[across(now), box.y], [across(now), box.y + box.height]], { colour: ink, dash: [5, 4] });
      // Above the lanes, and left of a mark that has no room on its right.
      places((category, time) => {
        const x = across(time);
        return [x + (x > box.x + box.width - 24 ? -PLACE - 10 : 12), box.y + (box.height * (category + 0.5)) / 3 - 9];
      }, pen);
      axis(pen, box, [0, 0.5, 1], across);
    }

    // The words for those that have arrived, each with the ground behind it, for the moment may cross it.
    function places(at, pen) {
      times.forEach((time, category) => {
        if (time > now) return;
        const [x, y] = at(category, time);
        pen.bar(x - 2, y - 11, PLACE + 4, 13, pen.colours.ground);
        pen.text(["1st", "2nd", "3rd"][order.indexOf(category)], x, y, { size: 14, bold: order[0] === category });
      });
    }

    function axis(pen, box, ticks, across) {
      const y = box.y + box.height;
      pen.line([[box.x, y], [box.x + box.width, y]], { colour: pen.colours.muted });
      for (const tick of ticks) {
        pen.line([[across(tick), y], [across(tick), y + 4]], { colour: pen.colours.muted });
        pen.text(String(tick), across(tick), y + 19, { align: "center", size: 14, colour: pen.colours.muted });
      }
    }

    function drawValues(pen, box) {
      const { muted, faint, ink } = pen.colours;
      const up = (value) => box.y + (box.height * (HIGH - Math.min(Math.max(value, LOW), HIGH))) / (HIGH - LOW);
      const said = pen.text("the same as −log ", box.x - 22, box.y - 16);
      pen.text("T = ℓ + G", box.x - 20 + said, box.y - 16, { math: true, size: 17 });
      for (const tick of [0, 2, 4, 6]) {
        pen.line([[box.x, up(tick)], [box.x + box.width, up(tick)]], { colour: faint });
        pen.text(String(tick), box.x - 8, up(tick) + 5, { align: "right", size: 14, colour: muted });
      }
      perturb(LOGITS, noise).forEach((value, category) => {
        const x = box.x + (box.width * (category + 0.5)) / 3;
        const arrived = times[category] <= now;
        pen.line([[x, up(LOGITS[category])], [x, up(value)]], { colour: pen.colours.categories[category], width: 2 });
        pen.line([[x - 12, up(LOGITS[category])], [x + 12, up(LOGITS[category])]], { colour: pen.colours.categories[category], width: 3 });
        pen.mark(category, x, up(value), { size: 6.5, filled: arrived });
        pen.text(String(category + 1), x, box.y + box.height + 19, { align: "center", size: 14, colour: muted });
      });
      const level = up(-Math.log(Math.max(now, 1e-9)));
      pen.line([[box.x, level], [box.x + box.width, level]], { colour: ink, dash: [5, 4] });
      // Above the level of the mark, or below where the title is.
      places((category, time) => {
        const y = up(-Math.log(time));
        return [box.x + (box.width * (category + 0.5)) / 3 + 16, y + (y < box.y + 12 ? 18 : -13)];
      }, pen);
    }

    function drawTally(pen, box) {
      const { muted, faint, ink, ground } = pen.colours;
      const law = LAWS[k()];
      // The first few runs may all have one winner.
      const full = Math.max(k() === 1 ? 0.7 : 0.5, ...counts.map((one) => one / run));
      const high = (share) => (box.height * share) / full;
      const foot = box.y + box.height;
      pen.text(`${k() === 1 ? "the winners" : "the first two"} of ${run} ${run === 1 ? "run" : "runs"}, and their probabilities`, box.x, box.y - 22, { size: box.width < 310 ? 13 : 15 });
      pen.line([[box.x, foot], [box.x + box.width, foot]], { colour: muted });
      law.forEach((prob, i) => {
        const slot = box.width / law.length;
        const [x, wide] = [box.x + slot * (i + 0.25), slot * 0.5];
        const share = counts[i] / run;
        const first = k() === 1 ? i : PAIRS[i][0];
        pen.bar(x, foot - high(share), wide, high(share), pen.colours.categories[first]);
        for (const [colour, width] of [[ground, 6], [ink, 2.5]]) {
          pen.line([[x - 5, foot - high(prob)], [x + wide + 5, foot - high(prob)]], { colour, width });
        }
        pen.text(share.toFixed(2), x + wide / 2, foot + 37, { size: 14, align: "center" });
        const label = k() === 1 ? [i] : PAIRS[i];
        label.forEach((category, j) => pen.mark(category, x + wide / 2 + 15 * (j - (label.length - 1) / 2), foot + 15, { size: 5 }));
      });
    }

    function draw(pen) {
      const { race, values, tally } = partsOf(figure.width);
      drawRace(pen, race);
      drawValues(pen, values);
      drawTally(pen, tally);
    }

    function sentence() {
      const arrived = order.slice(0, k()).map((category) => `${category + 1} at ${times[category].toFixed(2)}`);
      const shares = counts.map((one) => (one / run).toFixed(2));
      const law = LAWS[k()].map((prob) => prob.toFixed(2));
      const what = k() === 1 ? "winners 1, 2, 3" : `orders ${PAIRS.map(named).join(", ")}`;
      const apart = totalVariation(counts.map((one) => one / run), LAWS[k()]).toFixed(3);
      return `Run ${run}: category ${arrived.join(", then ")}. The ${what} came up with frequencies ${shares.join(", ")}; `
        + `their probabilities are ${law.join(", ")}. In total variation they are ${apart} apart.`;
    }

    return { draw, sentence };
  }

  Figures.define("race", {
    title: "The exponential race",
    description: "Three lanes with the arrival times of the categories; three stems from the logits to the perturbed logits; bars of what has won so far, with strokes at the probabilities.",
    caption: "The first to arrive is the highest of the perturbed logits. "
      + "Each category runs for an exponential time whose rate is its weight, here six, three and one; "
      + "the moment (dashed line) that moves to the right on the axis of time falls from above on that of −log, and touches the same category first. "
      + "The winners come up with their probabilities, and so do the first two in their order.",
    height: heightOf,
    start,
  });
})();
