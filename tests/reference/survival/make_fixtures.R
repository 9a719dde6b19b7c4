# Data sets and the results of R's survival package that tests/survival/test_against_r.py compares with.
# Run in this folder:  Rscript make_fixtures.R   (rewrites the .tsv files and VERSIONS.txt)
suppressPackageStartupMessages(library(survival))
RNGversion("4.2.0")

# ---- data: one data frame per situation, all with the same columns ------------------------------------------------
sets <- list()
add <- function(name, time, event, arm = NULL, entry = 0, weight = 1, stratum = 1, x1 = 0, x2 = 0, x3 = 0, cause = NULL) {
  n <- length(time)
  if (is.null(arm)) arm <- rep(0, n)
  if (is.null(cause)) cause <- event
  sets[[name]] <<- data.frame(dataset = name, time = time, event = as.integer(event), arm = as.integer(rep_len(arm, n)),
    entry = rep_len(entry, n), weight = rep_len(weight, n), stratum = as.integer(rep_len(stratum, n)),
    x1 = rep_len(x1, n), x2 = rep_len(x2, n), x3 = rep_len(x3, n), cause = as.integer(rep_len(cause, n)))
}
trial <- function(name, seed, n, hr = 0.7, median = 12, follow = 36, scan = NULL, digits = 4, strata = 1, causes = 1,
                  weights = "none", late = FALSE, covariates = TRUE, share = 0.5, shape = 1) {
  set.seed(seed)
  arm <- as.integer(seq_len(n) <= round(n * share))
  stratum <- sample(seq_len(strata), n, TRUE)
  x1 <- round(rnorm(n, 60, 10), 1); x2 <- rbinom(n, 1, 0.3); x3 <- round(rgamma(n, 2, 1), 2)
  rate <- log(2) / median * hr^arm * (0.6 + 0.4 * stratum)
  if (covariates) rate <- rate * exp(0.02 * (x1 - 60) + 0.4 * x2 - 0.1 * x3)
  t <- (rexp(n) / rate)^(1 / shape); c <- runif(n, follow / 3, follow)
  event <- t <= c; time <- pmin(t, c)
  if (!is.null(scan)) time <- ceiling(time / scan) * scan else time <- pmax(round(time, digits), 10^-digits)
  entry <- if (late) floor(runif(n, 0, 0.8) * time * 10^digits) / 10^digits else 0
  weight <- switch(weights, none = 1, whole = sample(1:4, n, TRUE), fractional = round(runif(n, 0.2, 2.5), 3))
  cause <- ifelse(event, if (causes > 1) sample(seq_len(causes), n, TRUE, prob = 1 / seq_len(causes)) else 1, 0)
  add(name, time, event, arm, entry, weight, stratum, x1, x2, x3, cause)
}

trial("plain_40", 1, 40)
trial("plain_100", 2, 100)
trial("plain_200", 3, 200, hr = 0.5)
trial("no_difference", 4, 120, hr = 1)
trial("harm", 5, 80, hr = 1.8)
trial("strong_effect", 6, 150, hr = 0.1)
trial("extreme_effect", 7, 150, hr = 0.01)
trial("extreme_harm", 8, 150, hr = 40)
trial("big", 9, 2000)
trial("big_tied", 10, 2000, scan = 2)
trial("tied_months", 11, 90, scan = 1)
trial("scan_dated_6_weeks", 12, 160, scan = 1.5)
trial("scan_dated_9_weeks", 13, 220, scan = 2.25)
trial("scan_dated_half_year", 14, 180, scan = 6)
trial("two_times_only", 15, 60, scan = 18)
trial("one_time_only", 16, 30, scan = 200)
trial("strata_3", 17, 150, strata = 3)
trial("strata_3_tied", 18, 200, strata = 3, scan = 3)
trial("strata_10", 19, 150, strata = 10)
trial("strata_sparse", 20, 40, strata = 15, scan = 2)
trial("late_entry", 21, 100, late = TRUE)
trial("late_entry_tied", 22, 150, late = TRUE, scan = 2)
trial("late_entry_strata", 23, 200, late = TRUE, strata = 2)
trial("whole_weights", 24, 80, weights = "whole")
trial("fractional_weights", 25, 80, weights = "fractional")
trial("fractional_weights_tied", 26, 80, weights = "fractional", scan = 3)
trial("weights_late_entry", 27, 80, weights = "whole", late = TRUE)
trial("two_causes", 28, 120, causes = 2)
trial("three_causes", 29, 200, causes = 3)
trial("three_causes_tied", 30, 200, causes = 3, scan = 3)
trial("two_causes_all_seen", 31, 50, causes = 2, follow = 5000)
trial("unequal_arms", 32, 120, share = 0.2)
trial("one_in_arm", 33, 25, share = 0.04)
trial("short_follow_up", 34, 200, follow = 6)
trial("mature", 35, 150, follow = 200)
trial("late_effect_shape", 36, 150, shape = 2)
trial("tiny_8", 37, 8, covariates = FALSE)
trial("tiny_5", 38, 5, follow = 100, covariates = FALSE)
add("two_patients", c(1, 2), c(1, 0), c(0, 1))
add("one_patient_event", 3.5, 1)
add("one_patient_censored", 3.5, 0)
add("no_events", c(2, 3, 5, 7, 11, 13), 0 * 1:6, c(0, 1, 0, 1, 0, 1))
add("all_censored_tied", c(2, 2, 2, 5, 5), 0 * 1:5, c(0, 1, 0, 1, 0))
add("one_event", c(2, 3, 5, 7, 11, 13), c(0, 0, 1, 0, 0, 0), c(0, 1, 0, 1, 0, 1))
add("all_events", c(2, 3, 5, 7, 11, 13, 17), rep(1, 7), c(0, 1, 0, 1, 0, 1, 1))
add("all_events_at_once", rep(4, 6), rep(1, 6), c(0, 1, 0, 1, 0, 1))
add("last_is_event", c(1, 2, 3, 4, 5, 6), c(1, 0, 1, 0, 0, 1), c(0, 1, 0, 1, 0, 1))
add("flat_at_half", c(1, 2, 3, 4), c(1, 1, 1, 1), c(0, 1, 1, 0))
add("flat_at_half_censored", c(1, 2, 3, 4, 5, 8, 9, 10), c(1, 1, 1, 1, 0, 0, 1, 1), c(0, 1, 0, 1, 0, 1, 0, 1))
add("flat_at_half_to_end", c(1, 2, 3, 4), c(1, 1, 0, 0), c(0, 1, 0, 1))
add("flat_at_quarter", c(1, 2, 3, 4, 5, 6, 7, 8), c(1, 1, 0, 1, 1, 1, 1, 1), c(0, 1, 0, 1, 0, 1, 0, 1))
add("events_at_zero", c(0, 0, 1, 2, 2, 3, 0, 4), c(1, 0, 1, 1, 0, 1, 1, 0), c(0, 1, 0, 1, 0, 1, 1, 0))
add("event_and_censoring_tied", c(1, 1, 2, 2, 3, 3, 3), c(1, 0, 0, 1, 1, 0, 1), c(0, 1, 1, 0, 1, 0, 1))
add("events_in_one_arm", c(1:10), c(1, 0, 1, 0, 1, 0, 1, 0, 0, 0), rep(c(0, 1), 5))
add("arms_apart", c(1:5, 11:15), rep(1, 10), rep(c(0, 1), each = 5))
add("single_arm", c(3, 1, 4, 1, 5, 9, 2, 6), c(1, 1, 0, 1, 1, 0, 1, 1))
add("identical_arms", rep(c(1, 2, 2, 4, 6, 7), 2), rep(c(1, 0, 1, 1, 0, 1), 2), rep(0:1, each = 6))
add("large_times", 1e6 + c(3, 1, 4, 1, 5, 9, 2, 6), c(1, 1, 0, 1, 1, 0, 1, 1), c(0, 1, 0, 1, 0, 1, 0, 1))
add("small_times", 1e-6 * c(3, 1, 4, 1, 5, 9, 2, 6), c(1, 1, 0, 1, 1, 0, 1, 1), c(0, 1, 0, 1, 0, 1, 0, 1))
set.seed(99)
k <- sample(1:4, 160, TRUE); tt <- round(rexp(160, 0.05 * k), 3) + 0.001
add("four_groups", tt, rbinom(160, 1, 0.8), k, stratum = rep(1:2, 80), x1 = as.numeric(k == 2), x2 = as.numeric(k == 3),
    x3 = as.numeric(k == 4))
data(cancer, package = "survival")
add("aml", aml$time, aml$status, aml$x == "Maintained")
add("veteran", veteran$time, veteran$status, veteran$trt - 1, x1 = veteran$karno, x2 = veteran$diagtime,
    x3 = as.numeric(veteran$prior), stratum = as.integer(veteran$celltype))
add("ovarian", ovarian$futime, ovarian$fustat, ovarian$rx - 1, x1 = ovarian$age, x2 = ovarian$resid.ds)
# More of the public data sets that come with the package, split by treatment or a patient's factor.
whole <- function(d, names) d[complete.cases(d[, names]), ]
code <- function(x) as.integer(factor(x))
d <- whole(lung, c("ph.ecog", "ph.karno", "wt.loss"))
add("lung_by_sex", d$time, d$status - 1, d$sex - 1, stratum = d$ph.ecog + 1, x1 = d$age, x2 = d$ph.karno, x3 = d$wt.loss)
d <- whole(lung, "inst")
add("lung_within_institutions", d$time, d$status - 1, d$sex - 1, stratum = code(d$inst))
d <- whole(lung, "ph.ecog")
add("lung_by_ecog", d$time, d$status - 1, d$ph.ecog, x1 = d$age, x2 = d$sex)
d <- whole(subset(colon, etype == 1 & rx != "Lev"), "nodes")
add("colon_recurrence", d$time, d$status, d$rx == "Lev+5FU", stratum = d$node4 + 1, x1 = d$age, x2 = d$nodes, x3 = d$sex)
d <- whole(subset(colon, etype == 2 & rx != "Lev+5FU"), "nodes")
add("colon_death", d$time, d$status, d$rx == "Lev", stratum = d$extent, x1 = d$age, x2 = d$nodes, x3 = d$sex)
d <- subset(colon, etype == 2)
add("colon_three_arms", d$time, d$status, code(d$rx) - 1, stratum = d$sex + 1)
d <- subset(pbc, !is.na(trt))
add("pbc_death_or_transplant", d$time, d$status > 0, d$trt - 1, stratum = d$stage, x1 = d$age, x2 = d$bili, x3 = d$albumin,
    cause = d$status)
add("pbc_transplant", d$time, d$status == 1, d$trt - 1, x1 = d$age, x2 = d$bili, x3 = d$albumin)
add("kidney_by_sex", kidney$time, kidney$status, kidney$sex - 1, stratum = code(kidney$disease), x1 = kidney$age, x2 = kidney$frail)
add("rats_within_litters", rats$time, rats$status, rats$rx, stratum = rats$litter)
add("retinopathy_within_patients", retinopathy$futime, retinopathy$status, retinopathy$trt, stratum = code(retinopathy$id))
add("heart_by_surgery", heart$stop, heart$event, heart$surgery, entry = heart$start, x1 = heart$age,
    x2 = as.integer(heart$transplant) - 1, x3 = heart$year)
d <- whole(stanford2, "t5")
add("stanford_by_age", d$time, d$status, d$age > 41, x1 = d$age, x2 = d$t5)
d <- mgus2; d$first <- ifelse(d$pstat == 1, d$ptime, d$futime); d$cause <- ifelse(d$pstat == 1, 1, 2 * d$death)
add("mgus_progression_or_death", d$first, d$cause > 0, d$sex == "M", x1 = d$age, x2 = d$dxyr, cause = d$cause)
add("gbsg_hormone", gbsg$rfstime, gbsg$status, gbsg$hormon, stratum = gbsg$grade, x1 = gbsg$age, x2 = gbsg$nodes, x3 = gbsg$pgr)
add("myeloid", myeloid$futime, myeloid$death, myeloid$trt == "B", stratum = code(myeloid$sex))
trial("heavy_censoring", 40, 400, follow = 2)
trial("heavy_censoring_tied", 41, 400, follow = 3, scan = 0.75, strata = 2)
trial("follow_up_days", 42, 800, median = 365, follow = 1100, scan = 1, strata = 2)
trial("tiny_10_tied", 43, 10, scan = 6, covariates = FALSE)
trial("tiny_6_two_strata", 44, 6, follow = 200, strata = 2, covariates = FALSE)

# ---- writing ------------------------------------------------------------------------------------------------------
digits <- function(x) ifelse(is.na(x), "NA", ifelse(is.infinite(x), ifelse(x > 0, "inf", "-inf"), sprintf("%.17g", x)))
shorten <- function(x) { # fewest digits that read back to the same number
  s <- digits(x)
  for (k in c(16, 15, 12, 9, 6)) {
    short <- sprintf(paste0("%.", k, "g"), x)
    same <- is.finite(x) & as.numeric(short) == x
    s[same] <- short[same]
  }
  s
}
write <- function(rows, file) {
  table <- do.call(rbind, rows)
  for (column in names(table)) if (is.double(table[[column]])) table[[column]] <- shorten(table[[column]])
  write.table(table, file, sep = "\t", quote = FALSE, row.names = FALSE)
}
join <- function(x) paste(digits(as.numeric(x)), collapse = ";")
pick <- function(n, most = 60) if (n <= most) seq_len(n) else unique(round(seq(1, n, length.out = most)))

km <- quantiles <- at_risk <- ranks <- cox <- rmst <- incidence <- list()
push <- function(where, row) assign(where, c(get(where, envir = globalenv()), list(row)), envir = globalenv())
types <- c("log-log", "log", "plain")
control <- coxph.control(eps = 1e-14, iter.max = 100, toler.chol = 1e-15, timefix = FALSE)

for (name in names(sets)) {
  d <- sets[[name]]
  late <- any(d$entry > 0)
  y <- if (late) with(d, Surv(entry, time, event)) else with(d, Surv(time, event))
  fit <- function(type) survfit(y ~ 1, data = d, weights = weight, conf.type = type, timefix = FALSE, robust = FALSE)
  f <- lapply(types, fit); g <- f[[1]]
  i <- pick(length(g$time))
  push("km", data.frame(dataset = name, time = g$time, n_at_risk = g$n.risk, n_events = g$n.event, n_censored = g$n.censor,
    survival = g$surv, std_err = g$std.err * g$surv, hazard = g$cumhaz, hazard_std_err = g$std.chaz,
    lower_loglog = f[[1]]$lower, upper_loglog = f[[1]]$upper, lower_log = f[[2]]$lower, upper_log = f[[2]]$upper,
    lower_plain = f[[3]]$lower, upper_plain = f[[3]]$upper)[i, ])
  for (k in 1:3) {
    p <- c(0.1, 0.25, 0.5, 0.75, 0.9); q <- quantile(f[[k]], p)
    push("quantiles", data.frame(dataset = name, conf_type = types[k], p = p, time = as.numeric(q$quantile),
      lower = as.numeric(q$lower), upper = as.numeric(q$upper)))
  }
  if (!late) {
    t <- c(0, max(d$time) * c(0.1, 0.25, 0.5, 0.75, 1))
    push("at_risk", data.frame(dataset = name, time = t, n_at_risk = summary(g, times = t, extend = TRUE)$n.risk))
  }
  if (!late && all(d$weight == 1)) {
    # survdiff cannot be told timefix = FALSE (model.frame chokes on it); no times here are near ties.
    if (length(unique(d$arm)) > 1) for (rho in c(0, 1, 0.5)) for (strat in unique(c(FALSE, length(unique(d$stratum)) > 1))) {
      r <- if (strat) try(survdiff(Surv(time, event) ~ arm + strata(stratum), d, rho = rho), silent = TRUE)
           else try(survdiff(Surv(time, event) ~ arm, d, rho = rho), silent = TRUE)
      if (inherits(r, "try-error")) next
      o <- if (is.matrix(r$obs)) rowSums(r$obs) else r$obs; e <- if (is.matrix(r$exp)) rowSums(r$exp) else r$exp
      push("ranks", data.frame(dataset = name, rho = rho, stratified = strat, observed = join(o), expected = join(e),
        variance = join(r$var), chi2 = r$chisq, p = r$pvalue))
    }
    for (arm in unique(d$arm)) for (part in c(0.5, 0.9, 1)) {
      own <- d[d$arm == arm, ]; tau <- part * max(own$time)
      if (tau < min(own$time)) next # summary.survfit refuses a horizon before the first time
      s <- summary(survfit(Surv(time, event) ~ 1, own, timefix = FALSE), rmean = tau)$table
      push("rmst", data.frame(dataset = name, arm = arm, tau = tau, mean = s[["rmean"]], std_err = s[["se(rmean)"]]))
    }
    causes <- setdiff(sort(unique(d$cause)), 0)
    if (length(causes)) {
      d$state <- factor(d$cause, c(0, causes))
      m <- if (length(causes) == 1) NULL else lapply(types, function(type)
        survfit(Surv(time, state) ~ 1, d, id = seq_len(nrow(d)), conf.type = type, timefix = FALSE))
      if (!is.null(m)) for (k in seq_along(causes)) { i <- pick(length(m[[1]]$time), 40); j <- k + 1
        push("incidence", data.frame(dataset = name, cause = causes[k], time = m[[1]]$time, event_free = m[[1]]$pstate[, 1],
          incidence = m[[1]]$pstate[, j], std_err = m[[1]]$std.err[, j],
          lower_loglog = m[[1]]$lower[, j], upper_loglog = m[[1]]$upper[, j], lower_log = m[[2]]$lower[, j],
          upper_log = m[[2]]$upper[, j], lower_plain = m[[3]]$lower[, j], upper_plain = m[[3]]$upper[, j])[i, ]) }
    }
  }
  if (all(d$weight == 1) && sum(d$event) > 0 && length(unique(d$arm)) > 1) {
    models <- list(arm = "arm")
    if (sd(d$x1) > 0 && sum(d$event) > 15) models$all <- if (name == "four_groups") "x1 + x2 + x3" else if (sd(d$x3) > 0) "arm + x1 + x2 + x3" else "arm + x1 + x2"
    for (model in names(models)) for (ties in c("efron", "breslow")) for (strat in unique(c(FALSE, length(unique(d$stratum)) > 1))) {
      warned <- FALSE
      formula <- as.formula(paste("y ~", models[[model]], if (strat) "+ strata(stratum)" else ""))
      r <- withCallingHandlers(coxph(formula, d, ties = ties, control = control),
        warning = function(w) { warned <<- TRUE; invokeRestart("muffleWarning") })
      push("cox", data.frame(dataset = name, covariates = gsub(" \\+ ", ";", models[[model]]), ties = ties, stratified = strat,
        coef = join(coef(r)), std_err = join(sqrt(diag(r$var))), covariance = join(r$var), log_likelihood_null = r$loglik[1],
        log_likelihood = r$loglik[2], score = r$score, wald = r$wald.test[[1]],
        wald_p = summary(r)$waldtest[["pvalue"]], warned = warned))
    }
  }
}

set.seed(5)
counts <- rbind(c(0, 10), c(10, 10), c(1, 1), c(0, 1), c(1, 30), c(29, 30), c(7, 25), c(48, 80), c(56, 70), c(214, 261),
                c(3, 1000), c(997, 1000), c(500, 1000), cbind(rbinom(6, 40, 0.3), 40))
proportions <- lapply(seq_len(nrow(counts)), function(k) do.call(rbind, lapply(c(0.9, 0.95, 0.99), function(level) {
  x <- counts[k, 1]; n <- counts[k, 2]
  cp <- binom.test(x, n, conf.level = level)$conf.int
  w <- suppressWarnings(prop.test(x, n, conf.level = level, correct = FALSE))$conf.int
  # Newcombe's method 10 against the next row, from R's own Wilson limits.
  other <- counts[k %% nrow(counts) + 1, ]; v <- suppressWarnings(prop.test(other[1], other[2], conf.level = level, correct = FALSE))$conf.int
  a <- x / n; b <- other[1] / other[2]
  data.frame(x = as.integer(x), n = as.integer(n), level = level, cp_lower = cp[1], cp_upper = cp[2], wilson_lower = w[1],
    wilson_upper = w[2], other_x = as.integer(other[1]), other_n = as.integer(other[2]),
    newcombe_lower = a - b - sqrt((a - w[1])^2 + (v[2] - b)^2), newcombe_upper = a - b + sqrt((w[2] - a)^2 + (b - v[1])^2))
})))

write(sets, "data.tsv")
write(km, "kaplan_meier.tsv"); write(quantiles, "quantiles.tsv"); write(at_risk, "at_risk.tsv"); write(ranks, "log_rank.tsv")
write(cox, "cox.tsv"); write(rmst, "rmst.tsv"); write(incidence, "cumulative_incidence.tsv"); write(proportions, "proportions.tsv")
writeLines(c(R.version.string, paste("survival", packageVersion("survival")), paste(length(sets), "data sets"),
  "Written by make_fixtures.R; survfit and coxph with timefix = FALSE,",
  "coxph.control(eps = 1e-14, iter.max = 100, toler.chol = 1e-15)."), "VERSIONS.txt")
