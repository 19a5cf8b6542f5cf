// The style of the widget. A page overrides the custom properties at the top: notifier-inbox { --accent: teal }.

export const look = new CSSStyleSheet();
look.replaceSync(`
:host {
  --accent: light-dark(#4f46e5, #a5b4fc); --on-accent: light-dark(#fff, #1e1b4b);
  --surface: light-dark(#fff, #18181b); --raised: light-dark(#f4f4f8, #27272a); --new: light-dark(#f5f5ff, #20203a);
  --text: light-dark(#18181b, #fafafa); --quiet: light-dark(#5f6169, #a6a8b2); --line: light-dark(#e6e6ec, #35353c);
  --alarm: light-dark(#d92d20, #f97066);
  position: relative; display: inline-block; color: var(--text); font: 400 15px/1.45 system-ui, sans-serif;
}
[hidden] { display: none !important; }
button { font: inherit; color: inherit; background: none; border: 0; cursor: pointer; border-radius: 10px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.bell { position: relative; width: 44px; height: 44px; display: grid; place-items: center; border-radius: 50%; }
.bell:hover, .bell[aria-expanded=true] { background: var(--raised); }
.bell svg { width: 23px; height: 23px; }
.badge {
  position: absolute; top: 2px; right: 0; min-width: 20px; height: 20px; padding: 0 5px; box-sizing: border-box;
  border-radius: 10px; background: var(--alarm); color: light-dark(#fff, #2a0d0a); font: 700 11.5px/20px system-ui;
  text-align: center; box-shadow: 0 0 0 2px var(--surface);
}
.panel {
  position: absolute; z-index: 10; top: calc(100% + 10px); right: 0; width: 400px; max-height: min(640px, 80vh);
  display: flex; flex-direction: column; overflow: hidden; box-sizing: border-box; background: var(--surface);
  border: 1px solid var(--line); border-radius: 16px;
  box-shadow: 0 1px 2px rgb(0 0 0 / .06), 0 18px 48px rgb(0 0 0 / .16);
}
header { display: flex; align-items: center; gap: 8px; padding: 12px 10px 12px 20px; border-bottom: 1px solid var(--line); }
h2 { flex: 1; margin: 0; font-size: 17px; font-weight: 650; letter-spacing: -.01em; }
.quiet { padding: 8px 10px; color: var(--accent); font-size: 14px; font-weight: 550; }
.quiet:hover:enabled { background: var(--raised); }
.quiet:disabled { color: var(--quiet); cursor: default; opacity: .7; }
.tabs { display: flex; gap: 2px; padding: 6px 12px 0; }
.tabs button { padding: 8px 12px; color: var(--quiet); font-size: 14px; font-weight: 550; border-bottom: 2px solid transparent; border-radius: 8px 8px 0 0; }
.tabs button:hover { background: var(--raised); }
.tabs button[aria-selected=true] { color: var(--accent); border-bottom-color: var(--accent); }
.filters { display: flex; gap: 8px; padding: 10px 14px; border-bottom: 1px solid var(--line); border-top: 1px solid var(--line); }
.filters > * {
  box-sizing: border-box; min-width: 0; flex: 1 1 0; min-height: 38px; padding: 6px 10px; font: inherit; font-size: 14px;
  color: inherit; background: var(--raised); border: 1px solid var(--line); border-radius: 10px; text-overflow: ellipsis;
}
.body { overflow-y: auto; overscroll-behavior: contain; }
.menu { grid-column: 1 / -1; display: grid; margin: 6px 0 0; padding: 4px; background: var(--surface); border: 1px solid var(--line); border-radius: 12px; }
.menu .quiet { padding: 8px 10px; color: var(--text); font-weight: 450; text-align: start; }
.dots { margin-inline-start: auto; min-width: 36px; }
.state { padding: 8px 20px; color: var(--quiet); background: var(--raised); font-size: 13px; }
ul { list-style: none; margin: 0; padding: 0; }
li { position: relative; display: grid; grid-template-columns: 1fr auto; gap: 2px 8px; padding: 14px 14px 15px 34px; }
li + li { border-top: 1px solid var(--line); }
li.unread { background: var(--new); }
li.unread::before {
  content: ""; position: absolute; left: 15px; top: 21px; width: 8px; height: 8px; border-radius: 50%;
  background: var(--accent);
}
h3 { margin: 0; font-size: 15px; font-weight: 450; overflow-wrap: anywhere; }
li.unread h3 { font-weight: 650; }
p { grid-column: 1 / -1; margin: 0; color: var(--quiet); white-space: pre-line; overflow-wrap: anywhere; }
time { color: var(--quiet); font-size: 13px; white-space: nowrap; padding-top: 1px; }
.actions { grid-column: 1 / -1; display: flex; align-items: center; gap: 4px; margin: 6px 0 -6px -10px; }
.actions:empty { display: none; }
.actions a { padding: 6px 10px; border-radius: 10px; color: var(--accent); font-size: 14px; font-weight: 550; text-decoration: none; }
.actions a:hover { background: var(--raised); }
.actions .quiet { padding: 6px 10px; color: var(--quiet); font-weight: 450; }
.empty { padding: 56px 24px 64px; text-align: center; color: var(--quiet); }
.more { width: 100%; padding: 14px; border-top: 1px solid var(--line); border-radius: 0; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 520px) {
  .panel { position: fixed; inset: 68px 8px auto; width: auto; max-height: calc(100dvh - 80px); }
  .quiet, .actions a, .tabs button { min-height: 40px; box-sizing: border-box; }
  .actions a { line-height: 28px; }
}
@media (prefers-reduced-motion: no-preference) {
  li.new { animation: arrive .35s ease-out; }
  @keyframes arrive { from { opacity: 0; transform: translateY(-10px); } }
}
`);
