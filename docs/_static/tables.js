// Lets tables fit the page: see tables.css.
//
// `by-row`: a table with long cells, of which a phone shows a row as a block; each cell says which column it is of.
// `tight`: a table that is still too wide, whose code may break anywhere.
const LONG = 20;
const PHONE = matchMedia("(max-width: 46em)");

function fit(table) {
  const isWide = () => table.scrollWidth > table.parentElement.clientWidth + 1;
  const columns = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
  const rows = [...table.querySelectorAll("tbody tr")].map((row) => [...row.cells].slice(1));
  const isLong = rows.flat().some((cell) => cell.textContent.length > LONG);
  if (isLong && (columns.length > 2 || (PHONE.matches && isWide()))) {
    table.classList.add("by-row");
    for (const cells of rows)
      for (const [index, cell] of cells.entries()) if (cell.textContent.trim()) cell.dataset.column = columns[index + 1];
  }
  table.classList.toggle("tight", isLong && isWide());
}

const fitAll = () => document.querySelectorAll("table.docutils").forEach(fit);
document.addEventListener("DOMContentLoaded", fitAll);
PHONE.addEventListener("change", fitAll);
