// A click on a column heading sorts the rows; a second click reverses the order.
for (const head of document.querySelectorAll("th")) {
  head.style.cursor = "pointer";
  head.title = "Sort";
  head.onclick = () => {
    const body = head.closest("table").tBodies[0], column = head.cellIndex;
    const up = head.dataset.up = head.dataset.up === "1" ? "0" : "1";
    const compare = (a, b) => {
      const [one, other] = [a.cells[column], b.cells[column]];
      return (one.dataset.order ?? NaN) - (other.dataset.order ?? NaN)
        || one.textContent.localeCompare(other.textContent);
    };
    const sorted = [...body.rows].sort(compare);
    body.append(...(up === "1" ? sorted : sorted.reverse()));
  };
}
