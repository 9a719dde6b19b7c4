# Data sets and the results of R's metafor package that tests/evidence/test_meta_analysis.py and
# tests/evidence/test_network_meta_analysis.py compare with.
# Run in this folder:  Rscript make_fixtures.R   (rewrites the .tsv files and VERSIONS.txt)
suppressPackageStartupMessages(library(metafor))
RNGversion("4.2.0")
options(digits = 17)
write_tsv <- function(x, file) write.table(x, file, sep = "\t", quote = FALSE, row.names = FALSE, na = "")

# ---- pairwise ---------------------------------------------------------------------------------------------------
sets <- list()
add <- function(name, yi, vi) sets[[name]] <<- data.frame(dataset = name, yi = round(yi, 8), vi = round(vi, 8))
draw <- function(name, seed, k, tau, mu = -0.3, low = 0.01, high = 0.2) {
  set.seed(seed)
  vi <- exp(runif(k, log(low), log(high)))
  add(name, rnorm(k, mu, sqrt(vi + tau^2)), vi)
}
add("one", -0.478, 0.0097)
add("two_alike", c(-0.4, -0.41), c(0.02, 0.05))
add("two_apart", c(-1.2, 0.9), c(0.02, 0.05))
add("three_homogeneous", c(-0.30, -0.31, -0.29), c(0.04, 0.02, 0.03))
add("identical", rep(-0.25, 5), c(0.01, 0.02, 0.03, 0.04, 0.05))
add("huge_heterogeneity", c(-5, 4, 0.5, 9, -7.5, 2), c(0.01, 0.02, 0.01, 0.03, 0.02, 0.015))
add("one_giant", c(-0.1, -0.9, 0.4, -0.5, 0.2), c(0.0001, 0.3, 0.2, 0.4, 0.25))
draw("five", 11, 5, 0.2)
draw("eight", 12, 8, 0.4)
draw("twelve", 13, 12, 0.1)
draw("twenty", 14, 20, 0.3)
draw("forty", 15, 40, 0.6)
draw("unequal", 16, 10, 0.5, low = 0.0005, high = 2)
draw("large_scale", 17, 9, 30, mu = 120, low = 20, high = 900)
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
add("bcg", as.numeric(bcg$yi), as.numeric(bcg$vi))
rows <- list()
for (d in sets) {
  k <- nrow(d)
  for (method in c("FE", "DL", "PM", "REML")) for (test in c("z", "knha")) {
    if (test == "knha" && k == 1) next
    r <- suppressWarnings(rma(yi, vi, data = d, method = method, test = test,
      control = list(threshold = 1e-12 * max(1, diff(range(d$yi))^2), maxiter = 100000, tol = 1e-14, tau2.max = 1e6)))
    default <- riley <- list(pi.lb = NA, pi.ub = NA)
    if (method != "FE" && k > 1) {
      default <- predict(r)
      if (k > 2) riley <- predict(r, pi.type = "riley")
    }
    rows[[length(rows) + 1]] <- data.frame(dataset = d$dataset[1], method = method, test = test, k = k,
      estimate = r$b[1], se = r$se, ci_low = r$ci.lb, ci_high = r$ci.ub, p = r$pval, q = r$QE, q_p = r$QEp,
      tau2 = r$tau2, i2 = r$I2, h2 = r$H2, pi_low = default$pi.lb, pi_high = default$pi.ub,
      riley_low = riley$pi.lb, riley_high = riley$pi.ub)
  }
}
write_tsv(do.call(rbind, sets), "pairwise_data.tsv")
write_tsv(do.call(rbind, rows), "pairwise.tsv")

# ---- networks: arm-level means, so that three-arm trials are coherent; treatment "a" is the reference ---------------
nets <- list()
net <- function(name, seed, trials, tau = 0) {
  set.seed(seed)
  truth <- c(a = 0, b = -0.3, c = -0.5, d = 0.2, e = -0.1)
  out <- list()
  for (s in seq_along(trials)) {
    arms <- strsplit(trials[s], "")[[1]]
    v <- round(exp(runif(length(arms), log(0.01), log(0.08))), 8)
    m <- round(truth[arms] + rnorm(length(arms), 0, sqrt(v + tau^2 / 2)), 8)
    out[[s]] <- data.frame(dataset = name, study = paste0("s", s), arm = arms, mean = m, variance = v)
  }
  nets[[name]] <<- do.call(rbind, out)
}
net("two_treatments", 21, c("ab", "ab", "ab", "ab"), 0.3)
net("star", 22, c("ab", "ab", "ac", "ac", "ac", "ad"), 0.2)
net("loop", 23, c("ab", "bc", "ac", "ab", "ac", "bc"), 0.4)
net("two_loops", 24, c("ab", "bc", "ac", "cd", "ad", "de", "ae", "ab"), 0.5)
net("three_arms", 25, c("abc", "ab", "bc", "abd", "cd", "ac"), 0.4)
net("four_arms", 26, c("abcd", "ab", "abc", "de", "ce", "bce"), 0.6)
out <- list()
for (d in nets) {
  y <- c(); X <- NULL; V <- list(); study <- c(); treated <- c()
  all_arms <- sort(unique(d$arm)); parameters <- all_arms[-1]
  for (s in unique(d$study)) {
    x <- d[d$study == s, ]; base <- x[1, ]; rest <- x[-1, , drop = FALSE]
    y <- c(y, rest$mean - base$mean)
    rows_x <- t(sapply(seq_len(nrow(rest)), function(i) (parameters == rest$arm[i]) - (parameters == base$arm)))
    if (length(parameters) == 1) rows_x <- matrix(as.numeric(rows_x), ncol = 1)
    X <- rbind(X, rows_x)
    V[[s]] <- diag(rest$variance, nrow(rest)) + base$variance
    study <- c(study, rep(s, nrow(rest))); treated <- c(treated, rest$arm)
  }
  colnames(X) <- parameters
  V <- as.matrix(bldiag(V)); S <- solve(V)
  fixed <- rma.mv(y, V, mods = X, intercept = FALSE, method = "FE")
  # DerSimonian-Laird for arms that share a control: tau2 on the diagonal, half of it beside
  B <- outer(study, study, "==") * 0.5; diag(B) <- 1
  P <- S - S %*% X %*% solve(t(X) %*% S %*% X) %*% t(X) %*% S
  tau2 <- max(0, (fixed$QE - (length(y) - ncol(X))) / sum(diag(P %*% B)))
  # rma of metafor 3.8-1 centres the outcomes before it takes Q, which is right only if the columns span an intercept
  dl <- NA
  has_intercept <- qr(cbind(X, 1))$rank == qr(X)$rank
  if (has_intercept && !any(duplicated(study))) dl <- rma(y, diag(V), mods = X, intercept = FALSE, method = "DL")$tau2
  row <- seq_along(y)
  random <- suppressWarnings(rma.mv(y, V, mods = X, intercept = FALSE,
    random = ~ factor(row) | study, struct = "CS", rho = 0.5, tau2 = tau2))
  for (kind in c("fixed", "random")) {
    r <- get(kind); C <- vcov(r)
    for (i in seq_along(all_arms)) for (j in seq_along(all_arms)) if (i < j) {
      l <- (parameters == all_arms[j]) - (parameters == all_arms[i])
      out[[length(out) + 1]] <- data.frame(dataset = d$dataset[1], effects = kind, treatment = all_arms[j],
        reference = all_arms[i], estimate = sum(l * r$b), se = sqrt(as.numeric(t(l) %*% C %*% l)),
        q = fixed$QE, q_df = length(y) - ncol(X), q_p = fixed$QEp, tau2 = tau2, tau2_rma = dl)
    }
  }
}
write_tsv(do.call(rbind, nets), "network_data.tsv")
write_tsv(do.call(rbind, out), "network.tsv")
writeLines(c(R.version.string, paste("metafor", packageVersion("metafor")), paste("metadat", packageVersion("metadat")),
  paste(length(sets), "data sets,", length(nets), "networks"),
  "Written by make_fixtures.R; rma with control = list(threshold = 1e-12 times the squared range, tol = 1e-14, maxiter = 100000, tau2.max = 1e6)."),
  "VERSIONS.txt")
