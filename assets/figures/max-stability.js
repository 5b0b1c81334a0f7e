// needs: frame.js max-stability-maths.js
// Shifted Gumbels, the density of their maximum, and one more Gumbel that slides onto it.
"use strict";

(() => {
  const { density, densityOfMaximum, locationOfMaximum } = MaxStability;
  const [LEFT, RIGHT, TOP, POINTS, MOST] = [-5, 10, 0.64, 300, 6];
  const GRID = Array.from({ length: POINTS + 1 }, (_, i) => LEFT + ((RIGHT - LEFT) * i) / POINTS);
  const NUMBERS = ["", "One Gumbel", "Two Gumbels", "Three Gumbels", "Four Gumbels", "Five Gumbels", "Six Gumbels"];

  const short = (value) => value.toFixed(2).replace("-", "−");
  const kept = (x) => Math.min(Math.max(x, -3), 4);

  function largestGap(one, other) {
    return one.reduce((gap, value, i) => Math.max(gap, Math.abs(value - other[i])), 0);
  }

  function listed(values) {
    const words = values.map(short);
    return words.length === 1 ? words[0] : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
  }

  function start(figure) {
    const places = [Math.log(6), Math.log(3), 0, -0.7, -1.4, -2.1];
    const count = figure.slider({
      label: 'categories <i class="figure-math">K</i>', low: 1, high: MOST, step: 1, value: 3, change: showHandles,
    });
    const scale = figure.slider({ label: "scale", low: 0.6, high: 2, step: 0.1, value: 1, text: (value) => value.toFixed(1) });
    const slide = figure.slider({
      label: "slide a Gumbel", low: 0, high: 100, step: 1, value: 0, text: (value) => `${value} %`,
    });
    const noise = figure.choice({
      label: "noise", options: [["own", "independent"], ["shared", "one value for all"]], value: "own",
    });
    figure.player({ label: "slide", slider: slide, pace: 60 });

    const locations = () => places.slice(0, count.value);
    const target = () => locationOfMaximum(locations(), scale.value);
    const slid = () => (slide.value / 100) * target();
    const curve = (location) => GRID.map((x) => density(x, location, scale.value));
    // With one noise value for all the highest location always wins.
    const maximum = () =>
      noise.value === "own"
        ? GRID.map((x) => densityOfMaximum(x, locations(), scale.value))
        : curve(Math.max(...locations()));

    const bottom = () => figure.height - 44;
    const across = (x) => ((x - LEFT) / (RIGHT - LEFT)) * figure.width;
    const up = (value) => bottom() - (value / TOP) * (bottom() - 26);
    const back = (pixels) => LEFT + ((RIGHT - LEFT) * pixels) / figure.width;
    const peak = () => 1 / (Math.E * scale.value);

    const handles = places.map((_, i) =>
      figure.handle({
        name: () => `location of category ${i + 1}: ${short(places[i])}; drag it, or move it with the arrow keys`,
        place: () => [across(places[i]), up(peak())],
        drag: (x) => (places[i] = kept(back(x))),
        step: (right, upwards) => (places[i] = kept(places[i] + 0.1 * (right + upwards))),
      }),
    );

    function showHandles() {
      handles.forEach((handle, i) => (handle.hidden = i >= count.value));
    }
    showHandles();

    function drawAxis(pen) {
      const { muted } = pen.colours;
      pen.line([[0, bottom()], [pen.width, bottom()]], { colour: muted });
      for (let x = LEFT + 1; x < RIGHT; x += 2) {
        pen.line([[across(x), bottom()], [across(x), bottom() + 4]], { colour: muted });
        pen.text(String(x).replace("-", "−"), across(x), bottom() + 19, { size: 13, align: "center", colour: muted });
      }
    }

    // Where the theorem puts the maximum, and where the sliding law is now.
    function drawPlaces(pen) {
      const [goal, now] = [across(target()), across(slid())];
      pen.line([[goal, bottom()], [goal, bottom() - 10]], { width: 2.5 });
      pen.text("log-sum-exp", goal, bottom() + 38, { align: "center", size: 14 });
      pen.line([[now, bottom()], [now, bottom() - 10]], { colour: pen.colours.link, width: 2.5 });
    }

    function drawLegend(pen) {
      pen.line([[4, 12], [30, 12]], { width: 3 });
      const end = 38 + pen.text("the maximum", 38, 17);
      pen.line([[end + 18, 12], [end + 48, 12]], { colour: pen.colours.link, width: 3, dash: [8, 5] });
      pen.text("sliding", end + 56, 17);
    }

    function draw(pen) {
      const points = (values) => values.map((value, i) => [across(GRID[i]), up(value)]);
      drawAxis(pen);
      locations().forEach((place, i) => {
        pen.line(points(curve(place)), { colour: pen.colours.categories[i], width: 1.5 });
      });
      pen.line(points(maximum()), { width: 3 });
      pen.line(points(curve(slid())), { colour: pen.colours.link, width: 3, dash: [8, 5] });
      locations().forEach((place, i) => pen.mark(i, across(place), up(peak()), { size: 6.5 }));
      drawPlaces(pen);
      drawLegend(pen);
    }

    function lawOfMaximum() {
      if (count.value === 1) return "the maximum is this Gumbel itself";
      return noise.value === "own"
        ? `the maximum is a Gumbel at ${short(target())}, their log-sum-exp in units of the scale`
        : `with one noise value for all the maximum is a Gumbel at the largest of them, ${short(Math.max(...locations()))}`;
    }

    function sentence() {
      const gap = largestGap(maximum(), curve(slid()));
      const off = gap < 1e-9 ? "lies on it" : `is up to ${gap.toFixed(3)} away from it`;
      return `${NUMBERS[count.value]} of scale ${scale.value.toFixed(1)} at ${listed(locations())}: ${lawOfMaximum()}. `
        + `The sliding Gumbel, at ${short(slid())}, ${off}.`;
    }

    return { draw, sentence };
  }

  Figures.define("max-stability", {
    title: "Max-stability",
    description: "The density curves of up to six shifted Gumbels, that of their maximum further right, and a dashed Gumbel of the same scale that can be slid onto it.",
    caption: "The maximum of shifted Gumbels is a Gumbel at their log-sum-exp, in units of their scale. "
      + "Thin: the densities of the shifted Gumbels; drag one by its mark. "
      + "Thick: the density of their maximum, from the product of their distribution functions. "
      + "Dashed: a Gumbel of the same scale, which slides from zero to the log-sum-exp and lands on it, but not if all share one noise value.",
    height: (width) => Math.min(Math.max(0.5 * width, 240), 330),
    start,
  });
})();
