const all = (what, within = document) => [...within.querySelectorAll(what)];
const value = (row, i) => { const c = row.cells[i]; return "v" in c.dataset ? +c.dataset.v : /^(-|never|)$/.test(c.textContent) ? Infinity : c.textContent; };
const order = (a, b) => typeof a == typeof b ? (typeof a == "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b || 0) : typeof a == "number" ? -1 : 1;
all(".sortable thead button").forEach(button => button.addEventListener("click", () => {
  const head = button.parentElement, i = head.cellIndex, up = head.getAttribute("aria-sort") != "ascending", body = head.closest("table").tBodies[0];
  all("th", head.parentElement).forEach(th => th.removeAttribute("aria-sort")); head.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...all("tr", body).sort((a, b) => { const x = value(a, i), y = value(b, i); return x === Infinity || y === Infinity ? order(x, y) || 0 : (up ? 1 : -1) * order(x, y); })); }));
all(".choose").forEach(f => { f.hidden = false; all(".legend").forEach(l => l.hidden = true); f.addEventListener("change", e => all(`.curve[data-of="${e.target.value}"]`).forEach(g => g.style.display = e.target.checked ? "" : "none")); });
all(".copy").forEach(b => { b.hidden = false; b.addEventListener("click", () => { getSelection().selectAllChildren(b.previousElementSibling); b.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C"; }); });
