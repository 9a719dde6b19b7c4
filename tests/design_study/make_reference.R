# Group-sequential boundaries and crossing probabilities by rpact that test_boundaries.py compares with.
# Run in this folder:  Rscript make_reference.R   (rewrites boundaries.tsv, power.tsv, futility.tsv and VERSIONS.txt)
# rpact is the Debian package r-cran-rpact.
suppressPackageStartupMessages(library(rpact))

TOLERANCE <- 1e-9
rates <- list(
  two_equal = c(0.5, 1), two_late = c(0.7, 1), two_close = c(0.9, 1), two_early = c(0.2, 1),
  three_equal = c(1 / 3, 2 / 3, 1), three_unequal = c(0.4, 0.55, 1), three_late = c(0.6, 0.8, 1),
  four_equal = c(0.25, 0.5, 0.75, 1), four_unequal = c(0.15, 0.5, 0.6, 1),
  five_equal = c(0.2, 0.4, 0.6, 0.8, 1), five_unequal = c(0.1, 0.3, 0.55, 0.9, 1))
kinds <- list(
  obrien_fleming = list(typeOfDesign = "asOF"), pocock = list(typeOfDesign = "asP"),
  hwang_shih_decani_m4 = list(typeOfDesign = "asHSD", gammaA = -4),
  hwang_shih_decani_p1 = list(typeOfDesign = "asHSD", gammaA = 1),
  hwang_shih_decani_p3 = list(typeOfDesign = "asHSD", gammaA = 3))
drifts <- c(0, 1.5, 3.2)

shown <- function(x) formatC(x, digits = 15, format = "g")
bounds <- power <- list()
design_of <- function(kind, t, alpha)
  do.call(getDesignGroupSequential, c(list(sided = 1, alpha = alpha, informationRates = t, tolerance = TOLERANCE), kind))

add <- function(name, kind_name, design, t, alpha, spent = design$alphaSpent) {
  bounds[[length(bounds) + 1]] <<- data.frame(
    design = name, spending = kind_name, alpha = shown(alpha), look = seq_along(t), information = shown(t),
    spent = shown(spent), z = shown(design$criticalValues))
  for (drift in drifts) {
    p <- getPowerAndAverageSampleNumber(design, theta = drift, nMax = 1)
    power[[length(power) + 1]] <<- data.frame(
      design = name, spending = kind_name, alpha = shown(alpha), drift = drift, look = seq_along(t),
      reject = shown(as.vector(p$rejectPerStage)))
  }
}
for (kind_name in names(kinds)) for (name in names(rates)) for (alpha in c(0.025, 0.05))
  add(name, kind_name, design_of(kinds[[kind_name]], rates[[name]], alpha), rates[[name]], alpha)
custom <- list(three_unequal = c(0.001, 0.004, 0.025), four_equal = c(0.005, 0.006, 0.02, 0.025))
for (name in names(custom))
  add(name, "custom", design_of(list(typeOfDesign = "asUser", userAlphaSpending = custom[[name]]), rates[[name]], 0.025),
      rates[[name]], 0.025, custom[[name]])

# non-binding futility by beta spending of the same family
futility <- list()
beta_kinds <- list(
  obrien_fleming = list(typeOfDesign = "asOF", typeBetaSpending = "bsOF"),
  pocock = list(typeOfDesign = "asP", typeBetaSpending = "bsP"),
  hwang_shih_decani_m4 = list(typeOfDesign = "asHSD", gammaA = -4, typeBetaSpending = "bsHSD", gammaB = -4))
for (kind_name in names(beta_kinds)) for (name in c("two_equal", "two_late", "three_equal", "three_unequal", "four_equal"))
  for (beta in c(0.1, 0.2)) {
    t <- rates[[name]]
    design <- do.call(getDesignGroupSequential, c(
      list(sided = 1, alpha = 0.025, beta = beta, informationRates = t, bindingFutility = FALSE, tolerance = TOLERANCE),
      beta_kinds[[kind_name]]))
    futility[[length(futility) + 1]] <- data.frame(
      design = name, spending = kind_name, beta = shown(beta), look = seq_along(t), information = shown(t),
      z = shown(design$criticalValues), lower = shown(c(design$futilityBounds, tail(design$criticalValues, 1))),
      drift = shown(sqrt(getDesignCharacteristics(design)$shift)))
  }
put <- function(x, file) write.table(do.call(rbind, x), file, sep = "\t", quote = FALSE, row.names = FALSE)
put(bounds, "boundaries.tsv"); put(power, "power.tsv"); put(futility, "futility.tsv")
writeLines(c(R.version.string, paste("rpact", packageVersion("rpact")), "Written by make_reference.R"), "VERSIONS.txt")
