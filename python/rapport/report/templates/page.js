// The one thing that CSS cannot do: put a table on the clipboard as a word processor pastes it.
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
