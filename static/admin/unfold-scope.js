// What the Alpine expressions in Unfold's templates may use. The build of Alpine for a strict Content-Security-Policy
// knows no globals, so each name that a template uses stands here.
document.addEventListener("alpine:init", () => {
  const { Alpine } = window;
  Alpine.data("shell", () => ({
    openModal: false,
    filterOpen: false,
    openAllApplications: false,
    sidebarDesktopOpen: true,
    sidebarMobileOpen: false,
    action: "",
    selectAcross: 0,
    activeTab: (typeof getCurrentTab === "function" && getCurrentTab()) || document.body.dataset.tab || "",
    window: { location: { pathname: location.pathname, search: location.search } },
    sortRecords: window.sortRecords,
    moveRecords: window.moveRecords,
  }));
  for (const name of ["searchForm", "searchDropdown"]) {
    if (typeof window[name] === "function") Alpine.data(name, window[name]);
  }
});
