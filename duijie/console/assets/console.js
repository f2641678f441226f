import "@tabler/core/dist/css/tabler.css";
import "./console.css";
import htmx from "htmx.org";

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
window.htmx = htmx;

const say = (event, text) => {
  const place = event.detail.target;
  place.textContent = text;
  place.setAttribute("role", "alert");
};
document.addEventListener("htmx:responseError", (event) => say(event, event.detail.xhr.responseText));
document.addEventListener("htmx:sendError", (event) => say(event, "服务器没有应答, 请检查网络后重试"));
