// Sets the class `dark` on <html> before the page is painted: the person's choice, else what the system prefers.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem("notifier-theme") || "auto";
  const apply = () => {
    const theme = chosen();
    const dark = theme === "dark" || (theme === "auto" && system.matches);
    document.documentElement.classList.toggle("dark", dark);
    document.documentElement.dataset.theme = theme;
  };
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  window.notifierTheme = {
    get: chosen,
    set(theme) {
      localStorage.setItem("notifier-theme", theme);
      apply();
    },
  };
  apply();
})();
