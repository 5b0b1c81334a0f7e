// The frame of the moving figures: one small classic script per figure, which draws on a canvas and needs no server.
//
// A page asks for a figure by an element, and _ext/moving_figures.py then gives that page the scripts:
//
//   <div data-figure="NAME" data-replaces="fig-samples"></div>   takes the place of the picture in that figure;
//   <div data-figure="NAME"> ... a picture ... </div>            takes the place of the picture inside it.
//
// Without JavaScript, and in print, the picture stays. The figure itself is `assets/figures/NAME.js`, whose line
// `// needs: frame.js laws.js` names the files that come before it. What it computes is in a file that node can
// `require` (laws.js for what several figures share), where tests/test_figure_laws.py compares it with the package.
//
//   Figures.define("NAME", {
//     title: "Temperature on the triangle",   // names the group of the picture and its controls
//     description: "Points in a triangle ...",  // says what the picture is, to whom it is not seen
//     caption: "One noise ...",     // HTML, optional: in the place of the caption of the static picture
//     height: (width) => 300,       // of the picture, in CSS pixels
//     start(figure) {               // adds controls, returns how to draw and what to say
//       const tau = figure.slider({label: "temperature", ...});
//       return {draw(pen) {...}, sentence: () => "At temperature 0.5 ..."};
//     },
//   });
//
// `figure`, while it starts and later:
//   slider({label, low, high, step, value, text, change})  text(value) is what is read out; label may be HTML
//   choice({label, options: [[value, "text"], ...], value, change})   one of a few
//   menu({label, options: ["text", ...], value, change})   one of several, folded away
//   button({label, press})
//   player({label, slider, pace, from})    a button that moves a slider to its end, `pace` a second (below zero: to its
//                           low end), and then again from the other, or from `from`. It is called "stop" while the
//                           slider moves; a second press stops it where it is, and so does a hand on the slider.
//       each returns an object with `value` (to read and to set) or the element, and redraws after a change
//   handle({name: () => "...", place: () => [x, y], drag(x, y), step(right, up)})
//       a thing on the picture that is dragged, or moved by the arrow keys
//   tap((x, y) => ...)      a click or a touch on the picture
//   append(element)         something of your own below the picture, before the controls
//   redraw()                draw soon, and say the new sentence when the figure has come to rest
//   animate(move)           calls move(seconds since the call before) until it returns false; the sentence follows.
//                           A reader who asked for little motion gets one call, move(Infinity): go to the end.
//                           Until the new sentence is there the old one, which is no longer true, is hidden.
//   stop()                  ends the animation where it is
//   width, height           of the picture, in CSS pixels
//
// `pen`, in draw: ctx, width, height, colours {ink, muted, faint, ground, link, categories[6]}, and
//   text("0.6", x, y, {size, colour, align, base, math, bold})   math: the italic face of formulas
//   line([[x, y], ...], {colour, width, dash})
//   mark(category, x, y, {size, filled, colour})   circle, square, triangle, ...: never by colour alone
//   bar(x, y, width, height, colour)
//
// Figures.write(element, text) changes a text that stands on the page.
//
// Nothing is drawn and nothing moves while the figure is off the screen, and before it first comes there nothing is
// computed to be said. The colours follow the theme of the page.
"use strict";

(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const QUIET = 300; // milliseconds without a change before the new state is read out
  const LONGEST = 0.05; // seconds that one step of an animation may take, after a pause say
  let count = 0;

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Into the text that an element has, which may be empty. A new node in its place would have the browser style anew
  // every paragraph of the page, by the rules for what a page contains.
  function write(element, text) {
    const node = element.firstChild ?? element.appendChild(new Text());
    if (node.data !== text) node.data = text;
  }

  function coloursOf(root) {
    const style = getComputedStyle(root);
    const named = (name) => style.getPropertyValue(name).trim();
    return {
      ink: named("--pst-color-text-base"),
      muted: named("--pst-color-text-muted"),
      faint: named("--pst-color-border"),
      ground: named("--pst-color-background"),
      link: named("--pst-color-link"),
      categories: [1, 2, 3, 4, 5, 6].map((number) => named(`--figure-${number}`)),
      family: style.fontFamily,
    };
  }

  const OUTLINES = [
    (ctx, x, y, r) => ctx.arc(x, y, r, 0, 2 * Math.PI),
    (ctx, x, y, r) => ctx.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r),
    (ctx, x, y, r) => polygon(ctx, x, y + 0.15 * r, 1.2 * r, 3),
    (ctx, x, y, r) => polygon(ctx, x, y, 1.2 * r, 4),
    (ctx, x, y, r) => polygon(ctx, x, y, 1.1 * r, 5),
    (ctx, x, y, r) => polygon(ctx, x, y, 1.1 * r, 6),
  ];

  function polygon(ctx, x, y, r, corners) {
    for (let corner = 0; corner < corners; corner++) {
      const angle = (2 * Math.PI * corner) / corners - Math.PI / 2;
      ctx.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
    }
    ctx.closePath();
  }

  function makePen(ctx, width, height, colours) {
    return {
      ctx, width, height, colours,
      text(words, x, y, { size = 15, colour = colours.ink, align = "left", base = "alphabetic", math, bold } = {}) {
        ctx.font = math ? `italic ${size}px KaTeX_Math, ${colours.family}` : `${bold ? "bold " : ""}${size}px ${colours.family}`;
        Object.assign(ctx, { fillStyle: colour, textAlign: align, textBaseline: base });
        ctx.fillText(words, x, y);
        return ctx.measureText(words).width;
      },
      line(points, { colour = colours.ink, width: thick = 1, dash = [] } = {}) {
        Object.assign(ctx, { strokeStyle: colour, lineWidth: thick, lineJoin: "round", lineCap: "butt" });
        ctx.setLineDash(dash);
        ctx.beginPath();
        for (const [x, y] of points) ctx.lineTo(x, y);
        ctx.stroke();
        ctx.setLineDash([]);
      },
      mark(category, x, y, { size = 5, filled = true, colour = colours.categories[category] } = {}) {
        ctx.beginPath();
        OUTLINES[category](ctx, x, y, size);
        Object.assign(ctx, { fillStyle: filled ? colour : colours.ground, strokeStyle: colour, lineWidth: 1.5 });
        ctx.fill();
        ctx.stroke();
      },
      bar(x, y, wide, high, colour) {
        ctx.fillStyle = colour;
        ctx.fillRect(x, y, wide, high);
      },
    };
  }

  class Figure {
    constructor(definition) {
      this.definition = definition;
      this.canvas = make("canvas");
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", definition.description);
      this.stage = make("div", { className: "figure-stage" }, this.canvas);
      this.controls = make("div", { className: "figure-controls" });
      // What is said can be hidden without the element whose changes are read out.
      this.said = make("span");
      this.status = make("p", { className: "figure-status" }, this.said);
      this.root = make("div", { className: "moving-figure" }, this.stage, this.controls, this.status);
      this.root.setAttribute("role", "group");
      this.root.setAttribute("aria-label", definition.title);
      this.root.figure = this;
      this.handles = [];
      this.players = [];
      this.onScreen = this.stale = this.introduced = false;
    }

    // Once it stands on the page, for only there it has a width and colours.
    begin() {
      Object.assign(this, this.definition.start(this));
      this.resize();
      new ResizeObserver(() => this.resize()).observe(this.stage);
      new MutationObserver(() => this.redraw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
      new IntersectionObserver(([entry]) => this.show(entry.isIntersecting)).observe(this.stage);
      document.fonts.load("italic 16px KaTeX_Math", "τ").then(() => this.redraw());
      document.fonts.ready.then(() => this.redraw());
    }

    show(onScreen) {
      this.onScreen = onScreen;
      if (onScreen && !this.introduced) this.introduce();
      if (onScreen && (this.stale || this.move)) this.request();
    }

    // The first sentence may take as long as all draws, so it waits until somebody looks. It is there to be read, not
    // read out: only then does the element become one whose changes are.
    introduce() {
      this.introduced = true;
      write(this.said, this.sentence());
      this.status.setAttribute("role", "status");
    }

    resize() {
      const width = this.stage.clientWidth;
      if (width === 0) return;
      const height = Math.round(this.definition.height(width));
      const dense = window.devicePixelRatio || 1;
      Object.assign(this, { width, height });
      Object.assign(this.canvas, { width: Math.round(width * dense), height: Math.round(height * dense) });
      this.canvas.style.height = `${height}px`;
      this.stale = true;
      // A canvas of a new size is empty, and would be shown before the next frame is drawn.
      if (this.onScreen) this.paint();
    }

    redraw() {
      this.stale = true;
      this.speakSoon();
      if (this.onScreen) this.request();
    }

    request() {
      this.frame ??= requestAnimationFrame((now) => {
        this.frame = undefined;
        this.advance(now);
        this.paint();
        if (this.move && this.onScreen) this.request();
      });
    }

    advance(now) {
      if (!this.move) return;
      const seconds = Math.min((now - (this.before ?? now)) / 1000, LONGEST);
      this.before = now;
      if (this.move(seconds) === false) this.move = undefined;
    }

    paint() {
      const { canvas, width, height } = this;
      if (!width) return;
      this.stale = false;
      const ctx = canvas.getContext("2d");
      ctx.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
      ctx.clearRect(0, 0, width, height);
      this.draw(makePen(ctx, width, height, coloursOf(this.root)));
      for (const put of this.handles) put();
    }

    speakSoon() {
      clearTimeout(this.silent);
      this.silent = setTimeout(() => {
        if (this.move) return this.speakSoon();
        if (this.introduced) write(this.said, this.sentence());
        this.root.classList.remove("is-in-motion");
        this.silent = undefined;
      }, QUIET);
    }

    get move() {
      return this.moving;
    }

    set move(move) {
      this.moving = move;
      for (const rename of this.players) rename();
    }

    animate(move) {
      this.before = undefined;
      this.move = calm.matches ? undefined : move;
      if (calm.matches) move(Infinity);
      else this.root.classList.add("is-in-motion");
      this.redraw();
    }

    stop() {
      this.move = undefined;
    }

    slider({ label, low, high, step, value, text = String, change = () => {} }) {
      const id = `figure-control-${++count}`;
      const input = make("input", { id, type: "range", min: low, max: high, step, value });
      const shown = make("span", { className: "figure-value" });
      shown.setAttribute("aria-hidden", "true");
      const tell = () => {
        const value = text(input.valueAsNumber);
        write(shown, value);
        input.setAttribute("aria-valuetext", value);
      };
      input.addEventListener("input", () => {
        tell();
        change(input.valueAsNumber);
        this.redraw();
      });
      tell();
      const name = make("label", { htmlFor: id, innerHTML: label });
      this.controls.append(make("div", { className: "figure-slider" }, name, input, shown));
      return {
        input,
        get value() { return input.valueAsNumber; },
        set value(other) { input.value = other; tell(); },
      };
    }

    choice({ label, options, value, change = () => {} }) {
      const name = `figure-control-${++count}`;
      const set = make("fieldset", { className: "figure-choice" }, make("legend", { innerHTML: label }));
      for (const [option, text] of options) {
        const input = make("input", { type: "radio", name, value: option, checked: option === value });
        input.addEventListener("change", () => {
          change(option);
          this.redraw();
        });
        set.append(make("label", {}, input, make("span", { innerHTML: text })));
      }
      this.controls.append(set);
      return { get value() { return set.querySelector(":checked").value; } };
    }

    menu({ label, options, value, change = () => {} }) {
      const id = `figure-control-${++count}`;
      const select = make("select", { id });
      for (const option of options) select.add(new Option(option, option, false, option === value));
      select.addEventListener("change", () => {
        change(select.value);
        this.redraw();
      });
      this.controls.append(make("div", { className: "figure-menu" }, make("label", { htmlFor: id, innerHTML: label }), select));
      return select;
    }

    button({ label, press }) {
      const button = make("button", { type: "button", className: "figure-button", innerHTML: label });
      button.addEventListener("click", () => {
        press();
        this.redraw();
      });
      this.controls.append(button);
      return button;
    }

    player({ label, slider, pace, from = (place) => place }) {
      const { input } = slider;
      const [low, high] = [Number(input.min), Number(input.max)];
      const [start, end] = pace > 0 ? [low, high] : [high, low];
      let place;
      const go = (seconds) => {
        place = Math.min(Math.max(place + pace * seconds, low), high);
        slider.value = place;
        return place !== end;
      };
      const isGoing = () => this.move === go;
      const button = this.button({
        label,
        press: () => {
          if (isGoing()) return this.stop();
          place = slider.value === end ? start : from(slider.value);
          // It is as wide under its other name, so that what follows it stays in its place.
          button.style.minWidth = `${button.offsetWidth}px`;
          this.animate(go);
        },
      });
      input.addEventListener("input", () => isGoing() && this.stop());
      this.players.push(() => write(button, isGoing() ? "stop" : label));
      return button;
    }

    handle({ name, place, drag, step }) {
      const handle = make("button", { type: "button", className: "figure-handle" });
      this.stage.append(handle);
      const call = () => handle.setAttribute("aria-label", name());
      // It has a name also while it has no place, since nothing is drawn off the screen.
      call();
      this.handles.push(() => {
        const [x, y] = place();
        handle.style.transform = `translate(${x}px, ${y}px)`;
        call();
      });
      const moved = (event) => {
        if (!handle.hasPointerCapture(event.pointerId)) return;
        drag(...this.inside(event));
        this.redraw();
      };
      handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
      handle.addEventListener("pointermove", moved);
      handle.addEventListener("keydown", (event) => {
        const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (!way) return;
        event.preventDefault();
        step(...way);
        this.redraw();
      });
      return handle;
    }

    tap(press) {
      this.canvas.addEventListener("click", (event) => {
        press(...this.inside(event));
        this.redraw();
      });
    }

    append(element) {
      this.controls.before(element);
    }

    inside(event) {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }
  }

  // The static picture stays on the page, for print; so does its caption.
  function takePlace(element, definition) {
    const holder = document.getElementById(element.dataset.replaces) ?? element;
    // A picture of a given width is a link to itself.
    const image = holder.querySelector("img");
    const picture = image?.closest("a") ?? image;
    const figure = new Figure(definition);
    (picture ?? element).before(figure.root);
    holder.classList.add("is-moving");
    picture?.classList.add("still-picture");
    const words = holder.querySelector(".caption-text");
    if (words && definition.caption) {
      words.classList.add("still-caption");
      words.before(make("span", { className: "moving-caption", innerHTML: definition.caption }));
    }
    figure.begin();
  }

  globalThis.Figures = {
    write,
    define(name, definition) {
      for (const element of document.querySelectorAll(`[data-figure="${name}"]`)) takePlace(element, definition);
    },
  };
})();
