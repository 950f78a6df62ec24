// What should not change when a card gets another place: it moves there instead of jumping, and keeps the focus.
import { useLayoutEffect, useRef, type RefObject } from "react";

const DURATION_MS = 160;

/** Let cards glide to where they are after each change of the page. */
export function useGliding(area: RefObject<HTMLElement | null>): void {
  const places = useRef(new Map<string, { left: number; top: number }>());
  const width = useRef(0);

  useLayoutEffect(() => {
    const isOtherLayout = width.current !== area.current!.clientWidth;
    const isStill = isOtherLayout || matchMedia("(prefers-reduced-motion: reduce)").matches;
    const now = new Map<string, { left: number; top: number }>();
    for (const card of area.current!.querySelectorAll<HTMLElement>("[data-card]")) {
      const place = { left: card.offsetLeft, top: card.offsetTop };
      const before = places.current.get(card.dataset.card!);
      now.set(card.dataset.card!, place);
      if (!before || isStill || (before.left === place.left && before.top === place.top)) continue;
      const start = `translate(${before.left - place.left}px, ${before.top - place.top}px)`;
      card.animate([{ transform: start }, { transform: "none" }], { duration: DURATION_MS, easing: "ease-out" });
    }
    places.current = now;
    width.current = area.current!.clientWidth;
  });
}

/** Give a card's button the focus again, when it lost it because the card got another column, or was renamed. */
export function useKeptFocus(area: RefObject<HTMLElement | null>): void {
  const focused = useRef<{ card: string; classes: string } | null>(null);

  useLayoutEffect(() => {
    const remember = (event: Event) => {
      const target = event.target as HTMLElement;
      if (target.matches("input")) return;
      const card = target.closest<HTMLElement>("[data-card]")?.dataset.card;
      focused.current = event.type === "focusin" && card ? { card, classes: target.className } : null;
    };
    for (const type of ["focusin", "pointerdown"]) document.addEventListener(type, remember);
    return () => {
      for (const type of ["focusin", "pointerdown"]) document.removeEventListener(type, remember);
    };
  }, []);

  useLayoutEffect(() => {
    if (!focused.current || document.activeElement !== document.body) return;
    const { card, classes } = focused.current;
    area.current!.querySelector<HTMLElement>(`[data-card="${card}"] [class="${classes}"]`)?.focus();
  });
}
