// Questionnaires: shows only the C-SSRS questions that its rule requires, and how many items of each instrument are
// answered. Without this file all questions are shown, with the rule beside them.

const value = (scope, name) => scope.querySelector(`input[name="screening.cssrs.${name}"]:checked`)?.value ?? "";

/** Columbia: 1 and 2; if 2 is no, on to 6; else 3, 4, 5, 6. A question that was answered with yes is never hidden. */
function branch(scope) {
  const asked = { thoughts: value(scope, "q2") !== "no", behaviour: value(scope, "q6") === "yes" };
  for (const question of scope.querySelectorAll("[data-asked-if]")) {
    const alarming = question.querySelector("input[value=yes]").checked;
    question.hidden = !asked[question.dataset.askedIf] && !alarming;
  }
}

function count(items) {
  const said = items.closest("section, .panel-body").querySelector(`[data-answered-of="${items.closest("section")?.getAttribute("aria-labelledby")}"]`);
  const answered = [...items.querySelectorAll("input:checked")].filter((input) => input.value !== "").length;
  if (said) said.textContent = `${answered} of ${items.dataset.counts} answered`;
}

function show() {
  document.querySelectorAll("[data-cssrs]").forEach(branch);
  document.querySelectorAll("[data-counts]").forEach(count);
}

document.addEventListener("change", (event) => event.target.closest(".item") && show());
show();
window.addEventListener("pageshow", show);
