// What scripts add to the pages: they stay fresh, and they can be used without a mouse. Without
// scripts everything else works as well.

import { translate } from "./links.js";
import { live } from "./live.js";
import { keys } from "./keys.js";

if (!translate(location)) {
  document.getElementById("tools").hidden = false;
  keys(live());
}
