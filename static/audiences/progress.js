// How far a worker has read an uploaded file: asks once a second, and reads the page again when the file is read.
const box = document.querySelector("[data-progress]");
if (box) {
  const bar = box.querySelector("progress");
  const text = box.querySelector("[data-text]");
  let failures = 0;
  const ask = async () => {
    try {
      const answer = await fetch(box.dataset.progress, { redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const { running, percent, text: sentence } = await answer.json();
      failures = 0;
      bar.value = percent;
      if (text.textContent !== sentence) text.textContent = sentence;
      if (!running) return location.reload();
    } catch {
      failures += 1;
    }
    setTimeout(ask, Math.min(1000 * 2 ** failures, 30_000));
  };
  setTimeout(ask, 1000);
}
