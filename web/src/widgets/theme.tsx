import { useEffect, useState } from "preact/hooks";

type Theme = "system" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const SIGN: Record<Theme, string> = { system: "◐", light: "☀", dark: "☾" };

function stored(): Theme {
  try {
    const t = localStorage.getItem("theme");
    return t === "light" || t === "dark" ? t : "system";
  } catch {
    return "system";
  }
}

/** Sets the colours before the first picture. */
export function applyTheme(theme: Theme = stored()): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

/** As the system says, light, dark: one button goes round. */
export function ThemeButton() {
  const [theme, set] = useState<Theme>(stored);
  useEffect(() => {
    applyTheme(theme);
    try {
      if (theme === "system") localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
    } catch {
      // private windows without storage keep the theme of the page only
    }
  }, [theme]);
  return (
    <button class="quiet icon" type="button" title={`Colours: ${theme}`} aria-label={`Colours: ${theme}. Change`} onClick={() => set(NEXT[theme])}>
      <span aria-hidden="true">{SIGN[theme]}</span>
    </button>
  );
}
