// The style of the element. A page overrides the custom properties at the top: notifier-preferences { --accent: teal }.

export const look = new CSSStyleSheet();
look.replaceSync(`
:host {
  --accent: light-dark(#4f46e5, #a5b4fc); --on-accent: light-dark(#fff, #1e1b4b);
  --surface: light-dark(#fff, #18181b); --raised: light-dark(#f4f4f8, #27272a);
  --text: light-dark(#18181b, #fafafa); --quiet: light-dark(#5f6169, #a6a8b2); --line: light-dark(#e6e6ec, #35353c);
  --alarm: light-dark(#b42318, #f97066);
  display: block; color: var(--text); font: 400 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
[hidden] { display: none !important; }
* { box-sizing: border-box; }
fieldset { margin: 0 0 14px; padding: 10px 16px 14px; border: 1px solid var(--line); border-radius: 12px; min-width: 0; }
legend { padding: 0 6px; font-weight: 650; }
.category { margin: 10px 0 0; padding: 12px 0 0; border: 0; border-top: 1px solid var(--line); border-radius: 0; }
.category legend { float: left; width: 100%; padding: 0; font-weight: 550; }
.category legend + * { clear: both; }
p { margin: 0 0 6px; color: var(--quiet); font-size: 14px; }
.category:first-of-type { border: 0; margin: 0; padding-top: 4px; }
.field { flex-wrap: wrap; gap: 0 8px; }
.row { display: flex; flex-wrap: wrap; gap: 0 22px; }
label { display: inline-flex; align-items: center; gap: 8px; min-height: 44px; max-width: 100%; overflow-wrap: break-word; }
input[type=checkbox] { width: 20px; height: 20px; accent-color: var(--accent); flex: none; }
input:not([type=checkbox]), select {
  font: inherit; padding: 8px 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--surface);
  color: var(--text); min-height: 44px; max-width: 100%; min-width: 0;
}
[aria-invalid=true] { border: 2px solid var(--alarm) !important; }
button {
  font: inherit; min-height: 44px; padding: 8px 16px; border: 1px solid var(--line); border-radius: 10px;
  background: none; color: inherit; cursor: pointer;
}
button:hover { background: var(--raised); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.status { min-height: 24px; margin: 0 0 8px; color: var(--text); }
.status.error { color: var(--alarm); }
`);
