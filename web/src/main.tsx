import { render } from "preact";
import { seed } from "./api";
import { App } from "./app";
import "./style.css";
import { applyTheme } from "./widgets/theme";

applyTheme();
seed("/first?brief=true", document.getElementById("first")?.textContent);
const page = document.getElementById("page");
if (page) render(<App />, page);
