// Starts the page, or says why it cannot start.

const controls = document.querySelectorAll<HTMLButtonElement | HTMLInputElement | HTMLSelectElement>(
  "main button, main input, main select",
);
controls.forEach((control) => (control.disabled = true));

import("./page.ts")
  .then(async ({ openPage }) => {
    const page = await openPage();
    controls.forEach((control) => (control.disabled = false));
    page.followLink();
    await page.run();
  })
  .catch((error: unknown) => {
    const notice = document.getElementById("notice");
    if (notice) {
      notice.textContent = `The page cannot run here: ${error instanceof Error ? error.message : error}.`;
      notice.classList.add("refused");
    }
    throw error;
  });
