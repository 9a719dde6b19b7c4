# Rscript mrgsolve.R FOLDER RTOL ATOL DAYS: runs stripped.cpp on idata.csv with doses.csv; writes daily.bin
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
suppressPackageStartupMessages(library(mrgsolve))
mod <- mread("stripped", folder, soloc = folder, quiet = TRUE)
mod <- update(mod, rtol = as.numeric(arguments[2]), atol = as.numeric(arguments[3]), maxsteps = 1e7)
idata <- read.csv(file.path(folder, "idata.csv"))
each <- read.csv(file.path(folder, "doses.csv"), stringsAsFactors = FALSE)
each$evid <- 1
each$cmt <- match(each$cmt, names(init(mod)))
each <- each[order(each$time), ]
data <- do.call(rbind, lapply(idata$ID, function(id) cbind(ID = id, each)))
days <- as.numeric(arguments[4])
begin <- proc.time()
found <- mrgsim_di(mod, data, idata, start = 0, end = days, delta = 1, obsonly = TRUE, carry_out = "", recsort = 3)
seconds <- sum((proc.time() - begin)[c("user.self", "sys.self")])
writeBin(as.double(found$ln_burden), file.path(folder, "daily.bin"))
cat(sprintf('{"seconds": %.6f}\n', seconds))
