// The report: printing, choices that need no button, a report that is still being counted, and forms that are sent once.
const COUNTING_MS = 3_000;

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
for (const select of document.querySelectorAll("select[data-submit]")) {
  const button = select.form.querySelector("button");
  if (button) button.hidden = true;
  select.addEventListener("change", () => select.form.submit());
}
if (document.querySelector("[data-report-counting]")) setTimeout(() => window.location.reload(), COUNTING_MS);
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => setTimeout(() => { form.querySelector("button").disabled = true; }));
}
