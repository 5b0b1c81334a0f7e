// Shows what a link leads to while it is pointed at or has the focus: a theorem, an equation, a figure, a term.
// What there is to show stands in one script a page (see _ext/previews.py), loaded when it is first needed.
(() => {
  const pages = {};
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);
  const LINKS = ".bd-article a.reference.internal[href*='#']";
  const MARGIN = 8;
  let box, shown, timer;

  // The scripts of the pages call this.
  window.bookPreviews = (page, previews) => pages[page].resolve(previews);

  const load = (page) => {
    if (!pages[page]) {
      pages[page] = {};
      pages[page].content = new Promise((resolve) => {
        pages[page].resolve = resolve;
        const script = document.createElement("script");
        script.src = new URL(`_static/previews/${page}.js`, root).href;
        script.onerror = () => resolve({});
        document.head.append(script);
      });
    }
    return pages[page].content;
  };

  // A link to elsewhere, or to the page as a whole, has nothing to show.
  const target = (link) => {
    const url = new URL(link.href);
    if (!url.href.startsWith(root.href) || !url.hash) return null;
    const page = url.href.slice(root.href.length).split("#")[0];
    return { url, page: page.replace(/\.html$/, ""), id: decodeURIComponent(url.hash.slice(1)) };
  };

  // Addresses are written for the page that the preview comes from.
  const fill = (html, url) => {
    box.innerHTML = html;
    for (const name of ["src", "href"])
      for (const node of box.querySelectorAll(`[${name}]`))
        node.setAttribute(name, new URL(node.getAttribute(name), url).href);
    // The box is read, not walked through: whoever follows the link gets there.
    for (const link of box.querySelectorAll("a")) link.tabIndex = -1;
  };

  const place = (link) => {
    const [line] = link.getClientRects();
    const width = document.documentElement.clientWidth;
    const left = Math.min(line.left, width - box.offsetWidth - MARGIN);
    const below = line.bottom + MARGIN;
    const above = line.top - box.offsetHeight - MARGIN;
    const lowest = innerHeight - box.offsetHeight - MARGIN;
    const top = below <= lowest || above < 0 ? Math.max(MARGIN, Math.min(below, lowest)) : above;
    box.style.left = `${Math.max(MARGIN, left) + scrollX}px`;
    box.style.top = `${top + scrollY}px`;
  };

  const hide = () => {
    clearTimeout(timer);
    if (!shown) return;
    shown.removeAttribute("aria-describedby");
    box.hidden = true;
    shown = null;
  };

  const show = async (link) => {
    const wantedPlace = target(link);
    if (!wantedPlace) return;
    const wanted = (await load(wantedPlace.page))[wantedPlace.id];
    const isWanted = link.matches(":hover") || document.activeElement === link;
    if (!wanted || !isWanted || link === shown) return;
    hide();
    fill(wanted, wantedPlace.url);
    box.hidden = false;
    place(link);
    // A picture has its height when it is there.
    for (const image of box.querySelectorAll("img")) image.onload = () => place(link);
    link.setAttribute("aria-describedby", box.id);
    shown = link;
  };

  const later = (action, milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };

  const start = () => {
    box = document.createElement("div");
    Object.assign(box, { id: "preview", className: "preview", hidden: true });
    box.setAttribute("role", "tooltip");
    document.querySelector(".bd-article")?.append(box);

    // A finger follows the link at once; a mouse that only passes shows nothing.
    document.addEventListener("pointerover", (event) => {
      const link = event.pointerType === "mouse" && event.target.closest(LINKS);
      if (link && link !== shown && !box.contains(link)) later(() => show(link), 150);
      else if (shown && (shown.contains(event.target) || box.contains(event.target))) clearTimeout(timer);
      else later(hide, 250);
    });
    document.addEventListener("focusin", (event) => {
      const link = event.target.closest?.(LINKS);
      if (link?.matches(":focus-visible")) show(link);
      else hide();
    });
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
