// needs: frame.js laws.js digits.js decoder-data.js decoder-maths.js
// The decoder as a toy: ten dials of ten classes make an image.
"use strict";

(() => {
  const { readDecoder, pixels, fromLevels } = Decoder;
  const { uniforms } = Laws;
  const DATA = FigureData.decoder;
  const DIALS = 10;
  const next = uniforms(11);
  const decoder = readDecoder(DATA);
  const originals = fromLevels(DATA.originals);

  const codeOf = (digit) => `the code of ${digit === 8 ? "an" : "a"} ${digit}`;

  const withClass = (code, dial, category) => code.map((value, i) => (i === dial ? category : value));

  // The dial whose classes draw the most different images.
  function mostTelling(code) {
    const before = pixels(decoder, code);
    const change = (image) => image.reduce((sum, value, i) => sum + Math.abs(value - before[i]), 0);
    const told = code.map((_, dial) =>
      code.reduce((sum, __, category) => sum + change(pixels(decoder, withClass(code, dial, category))), 0),
    );
    return told.indexOf(Math.max(...told));
  }

  function start(figure) {
    const begin = { code: DATA.codes[0], digit: 0 };
    let turned = mostTelling(begin.code);
    figure.root.classList.add("has-dials");

    const dials = Array.from({ length: DIALS }, (_, i) =>
      figure.slider({ label: `dial ${i + 1}`, low: 1, high: 10, step: 1, value: begin.code[i] + 1, change: () => (turned = i) }),
    );
    const code = () => dials.map((dial) => dial.value - 1);

    function setAll(classes, digit) {
      Object.assign(begin, { code: classes, digit });
      turned = mostTelling(classes);
      dials.forEach((dial, i) => (dial.value = classes[i] + 1));
    }

    const digits = document.createElement("div");
    digits.className = "figure-buttons";
    digits.setAttribute("role", "group");
    digits.setAttribute("aria-label", "codes of held-back images");
    digits.append("start from ");
    DATA.codes.forEach((classes, digit) => {
      const button = figure.button({ label: String(digit), press: () => setAll(classes, digit) });
      button.setAttribute("aria-label", `start from ${codeOf(digit)}`);
      digits.append(button);
    });
    const random = figure.button({
      label: "a random code", press: () => setAll(code().map(() => Math.floor(10 * next())), null),
    });
    digits.append(random);
    figure.append(digits);

    // Two large squares above, ten small ones below: what each class of the dial turned last would draw.
    const small = () => Math.min((figure.width - 9 * 6 - 8) / 10, 46);
    const large = () => Math.min((figure.width - 40) / 2, 200);
    const stripTop = () => 30 + large() + 36;
    const stripLeft = (category) => (figure.width - 10 * small() - 54) / 2 + category * (small() + 6);
    const other = (category) => withClass(code(), turned, category);

    figure.tap((x, y) => {
      const category = Math.floor((x - stripLeft(0)) / (small() + 6));
      if (y >= stripTop() - 4 && category >= 0 && category < 10) dials[turned].value = category + 1;
    });

    const set = (values) => pixels(decoder, values).map((value) => value > 0.5);
    const changes = () => {
      const before = set(begin.code);
      return set(code()).map((isSet, i) => isSet !== before[i]);
    };

    function draw(pen) {
      const gap = Math.max((pen.width - 2 * large()) / 3, 0);
      const [first, second] = [gap, 2 * gap + large()];
      pen.text("the image encoded", first, 20);
      pen.text("the decoder’s image", second, 20);
      const image = begin.digit === null ? new Array(64).fill(0) : originals.slice(64 * begin.digit, 64 * (begin.digit + 1));
      Digits.draw(pen, image, first, 30, large());
      if (begin.digit === null) {
        pen.text("none", first + large() / 2, 34 + large() / 2, { align: "center", colour: pen.colours.muted });
      }
      Digits.draw(pen, pixels(decoder, code()), second, 30, large(), changes());
      drawStrip(pen);
    }

    function drawStrip(pen) {
      pen.text(`dial ${turned + 1}, classes 1 to 10`, stripLeft(0), stripTop() - 10, { colour: pen.colours.muted });
      for (let category = 0; category < 10; category++) {
        Digits.draw(pen, pixels(decoder, other(category)), stripLeft(category), stripTop(), small());
        if (category !== code()[turned]) continue;
        Object.assign(pen.ctx, { strokeStyle: pen.colours.link, lineWidth: 3 });
        pen.ctx.strokeRect(stripLeft(category) - 2.5, stripTop() - 2.5, small() + 5, small() + 5);
      }
    }

    function sentence() {
      const dark = set(code()).filter(Boolean).length;
      const from = begin.digit === null ? "the random code" : codeOf(begin.digit);
      const moved = code().filter((value, i) => value !== begin.code[i]).length;
      const flipped = changes().filter(Boolean).length;
      const what = moved === 0
        ? `This is ${from}.`
        : `${moved} of 10 dials ${moved === 1 ? "is" : "are"} off ${from}, and ${flipped} of 64 pixels with ${moved === 1 ? "it" : "them"}.`;
      return `Code ${code().map((value) => value + 1).join(" ")}: ${dark} ${dark === 1 ? "pixel is" : "pixels are"} set. ${what}`;
    }

    return { draw, sentence };
  }

  Figures.define("decoder", {
    title: "The decoder as a toy",
    description: "An image of eight by eight pixels that was encoded, the image that the decoder makes of the dials, and ten small ones for the ten classes of one dial.",
    caption: "Ten dials of ten classes draw a digit. "
      + "The decoder of a model trained as in this chapter, in the page. "
      + "Start from the code of a held-back image and turn a dial: framed pixels have changed, and the row shows what each class of that dial would draw.",
    height: (width) => 30 + Math.min((width - 40) / 2, 200) + 36 + Math.min((width - 62) / 10, 46) + 6,
    start,
  });
})();
