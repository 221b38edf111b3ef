// Tells Streamlit where its server is: at the root of this address, whatever page this is.
window.__streamlit = { BACKEND_BASE_URL: window.location.origin };

// Scrolls a question to the top once, when it is asked, so that its answer is read from the beginning.
let underWay = false;
new MutationObserver(() => {
  const question = document.querySelector(".sr-under-way");
  if (question && !underWay) question.scrollIntoView({ block: "start" });
  underWay = question !== null;
}).observe(document.documentElement, { childList: true, subtree: true });

// Puts the cursor where a question is written: as the page opens, and when a new conversation begins. Not where fingers
// write, for that would open a keyboard over the page.
const writesWithKeys = window.matchMedia("(pointer: fine)");
let questionField = null;
function writeHere() {
  if (questionField && writesWithKeys.matches) questionField.focus({ preventScroll: true });
}
new MutationObserver(() => {
  const field = document.querySelector(".st-key-sr-asking textarea");
  if (field === questionField) return;
  questionField = field;
  if (document.activeElement === document.body) writeHere();
}).observe(document.documentElement, { childList: true, subtree: true });
document.addEventListener("click", (event) => {
  if (event.target.closest(".st-key-new-conversation button")) writeHere();
});

// On a narrow window the menu lies over the page: it is closed as the page opens, and again once something is chosen in
// it. Streamlit keeps for every page whether it was left open, on a wide window too; that is forgotten here.
const menuCovers = window.matchMedia("(max-width: 767.98px)");
function forgetMenu() {
  for (const name of Object.keys(window.localStorage)) {
    if (name.startsWith("stSidebarCollapsed-")) window.localStorage.removeItem(name);
  }
}
if (menuCovers.matches) forgetMenu();
document.addEventListener("click", (event) => {
  const inMenu = event.target.closest('[data-testid="stSidebar"] :is(a, [class*="st-key-history-"] button)');
  const choice = inMenu ?? event.target.closest('.st-key-new-conversation button, [class*="st-key-found-"] button');
  if (!choice || !menuCovers.matches) return;
  const menu = document.querySelector('[data-testid="stSidebar"][data-collapsed="false"]');
  menu?.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  forgetMenu();
});

// Says which of the pages beside the one that is open leads to itself: to the style sheet, and to screen readers.
new MutationObserver(() => {
  for (const link of document.querySelectorAll(".st-key-sr-nav a")) {
    if (link.pathname === window.location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}).observe(document.documentElement, { childList: true, subtree: true });
