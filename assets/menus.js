// What the theme's menus lack. It runs before the theme's own script adds its listeners.

// The theme takes the focus from a button of the header that is pressed, to end its tooltip. Whoever pressed a key
// would be thrown to the end of the page when the menu closes.
for (const button of document.querySelectorAll(".bd-header-article .btn")) {
  const press = (event) => {
    const byKey = event.detail === 0;
    if (byKey) button.blur = () => {};
    else delete button.blur;
  };
  button.addEventListener("click", press, true);
}

// A menu that leads to a section of this page closes over it.
for (const menu of document.querySelectorAll("dialog[id$='sidebar-modal']")) {
  menu.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    // Last of all, since the theme gives the focus back to the button first.
    menu.addEventListener("close", () => location.assign(link.href), { once: true });
    menu.close();
  });
}

// The contents beside a page that is longer than they have room for follow the reader.
addEventListener("activate.bs.scrollspy", ({ relatedTarget }) => {
  const column = relatedTarget?.closest(".bd-sidebar-secondary");
  if (!column) return;
  const entry = relatedTarget.getBoundingClientRect();
  const room = column.getBoundingClientRect();
  if (entry.top < room.top || entry.bottom > room.bottom) column.scrollTop += entry.top - room.top - room.height / 3;
});
