import { render } from "preact";
import { App } from "./app";
import "./style.css";
import { applyTheme } from "./widgets/theme";

applyTheme();
const page = document.getElementById("page");
if (page) render(<App />, page);
