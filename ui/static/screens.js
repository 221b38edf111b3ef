// Tells Streamlit where its server is: at the root of this address, whatever page this is.
window.__streamlit = { BACKEND_BASE_URL: window.location.origin };

// Closing what lies over a page goes back to where it was opened, so that the way back does not open it again. Streamlit
// would add an entry to the browser's history instead; where there is none to go back to, it takes the place of this one.
const overThePage = ["source", "document"];
const add = window.history.pushState.bind(window.history);
window.history.pushState = (state, title, address) => {
  const [here, there, closed] = [location.href, address, location.href].map((of) => new URL(of, location.href));
  overThePage.forEach((name) => closed.searchParams.delete(name));
  const isClosing = here.href !== there.href && closed.href === there.href;
  if (!isClosing) add({ ...state, from: here.href }, title, address);
  else if (window.history.state?.from === there.href) window.history.back();
  else window.history.replaceState(state, title, address);
};

// Scrolls a question to the top once, when it is asked, so that its answer is read from the beginning.
let underWay = false;
let wasAsked = false;
new MutationObserver(() => {
  const question = document.querySelector(".sr-under-way");
  if (question && !underWay) question.scrollIntoView({ block: "start" });
  underWay = question !== null;
  wasAsked ||= underWay;
}).observe(document.documentElement, { childList: true, subtree: true });

// Once the page is drawn: a conversation that was opened is shown from its latest question on, and the field that opens
// when an answer was not helpful is brought into view.
let shownConversation = "";
let judged = "";
document.addEventListener("click", (event) => {
  const judging = event.target.closest('[class*="st-key-down-"]');
  if (judging) judged = [...judging.classList].find((name) => name.startsWith("st-key-down-"));
});
new MutationObserver(() => {
  if (document.querySelector('[data-test-script-state="running"]')) return;
  const latest = document.querySelector('[class*="sr-latest-"]');
  const conversation = latest?.className ?? "";
  if (conversation !== shownConversation && !wasAsked) latest?.scrollIntoView({ block: "start" });
  [shownConversation, wasAsked] = [conversation, false];
  const words = judged && document.querySelector(`.${judged.replace("st-key-down-", "st-key-sr-comment-")}`);
  if (!words) return;
  words.scrollIntoView({ block: "nearest" });
  judged = "";
}).observe(document.documentElement, { subtree: true, attributeFilter: ["data-test-script-state"] });

// A page's picture takes a while: the words that stand in its place meanwhile go once it is there, or cannot be shown.
for (const ended of ["load", "error"]) {
  document.addEventListener(ended, (event) => event.target.closest?.(".sr-picture")?.classList.add("sr-ended"), true);
}

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
