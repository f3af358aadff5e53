// What CSS cannot do: say that a table is cut at the edge, and put one on the clipboard as a word processor pastes it.
const boxes = document.querySelectorAll(".scroll");
const cue = (box) => {
  box.classList.toggle("cut", box.scrollWidth > box.clientWidth + 1);
  box.classList.toggle("at-end", box.scrollLeft + box.clientWidth >= box.scrollWidth - 2);
};
const watcher = new ResizeObserver((entries) => entries.forEach((entry) => cue(entry.target)));
for (const box of boxes) {
  watcher.observe(box);
  box.addEventListener("scroll", () => cue(box), { passive: true });
}
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", () => {
    const selection = window.getSelection();
    selection.removeAllRanges();
    const range = document.createRange();
    range.selectNode(document.querySelector(`#${button.dataset.table} table`));
    selection.addRange(range);
    const done = document.execCommand("copy");
    selection.removeAllRanges();
    document.getElementById("copied").textContent = done ? "Table copied" : "The browser did not copy the table";
    button.classList.toggle("done", done);
  });
}
