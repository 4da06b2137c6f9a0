// Turns every <time> into local time; UTC stays on hover.
const TWO = { minimumIntegerDigits: 2 };
const two = (value) => value.toLocaleString("en", TWO);

function local(moment) {
  const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  return `${day} ${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

export function showLocalTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (!Number.isNaN(moment.getTime())) element.textContent = local(moment);
  }
}
