# Golden figures of the sensitivity analyses of every cohort: Rscript tests/golden/make_sensitivity.R
#
# R 4.x with the package sandwich (Zeileis; Debian: r-cran-sandwich). Brunner-Munzel and the rules of main provider,
# reliable change and regression to the mean are a few lines of base R here, as no package of theirs is at hand.
# A figure that R does not give (an error, NaN, no residual degrees of freedom) is NA.

suppressPackageStartupMessages(library(sandwich))

arguments <- commandArgs(trailingOnly = FALSE)
script <- sub("^--file=", "", grep("^--file=", arguments, value = TRUE))
golden <- dirname(normalizePath(script))

types <- c("teletherapy", "telecoaching", "both")
cutoff <- 28
improvement <- 10
margin <- 5

figures <- c(
  "n", "estimate", "std_error", "statistic", "df", "df_residual", "p_value", "p_adjusted", "ci_low", "ci_high"
)

row_of <- function(analysis, term, ...) {
  given <- list(...)
  stopifnot(all(names(given) %in% figures))
  row <- setNames(as.list(rep(NA_real_, length(figures))), figures)
  for (name in names(given)) {
    value <- unname(as.numeric(given[[name]]))
    row[[name]] <- if (length(value) == 1 && is.finite(value)) value else NA_real_
  }
  # Commas separate columns, and the grid's terms have some.
  data.frame(analysis = analysis, term = gsub(",", ";", term), row)
}

write_golden <- function(frame, file) {
  for (name in names(frame)) {
    if (is.numeric(frame[[name]])) {
      frame[[name]] <- ifelse(is.na(frame[[name]]), NA, sprintf("%.17g", frame[[name]]))
    }
  }
  write.csv(frame, file, row.names = FALSE, quote = FALSE, na = "NA")
}

with_t <- function(analysis, term, n, b, se, df) {
  if (!is.finite(se)) {
    return(row_of(analysis, term, n = n, estimate = b))
  }
  row_of(analysis, term,
    n = n, estimate = b, std_error = se, statistic = b / se, df_residual = df, p_value = 2 * pt(-abs(b / se), df),
    ci_low = b - qt(0.975, df) * se, ci_high = b + qt(0.975, df) * se
  )
}

# --- The model of alliance and well-being -------------------------------------------------

covariates <- c("age_years", "male", "time_in_care", "baseline_score")
terms_of_model <- c(covariates, "alliance")

# Coefficients with the errors of a covariance matrix: a function of the model gives it. R leaves an aliased coefficient
# out of both.
coefficients_of <- function(analysis, terms, data, covariance = vcov, df = NULL, weights = NULL) {
  n <- nrow(data)
  names <- c("(Intercept)", terms)
  blank <- do.call(rbind, lapply(names, function(term) row_of(analysis, term, n = n)))
  if (n < 3 || !isTRUE(sd(data$followup_score) > 0)) {
    return(list(rows = blank))
  }
  data$.w <- if (is.null(weights)) rep(1, n) else weights
  model <- if (is.null(weights)) {
    lm(reformulate(terms, "followup_score"), data)
  } else {
    lm(reformulate(terms, "followup_score"), data, weights = .w)
  }
  if (model$df.residual == 0) {
    return(list(rows = blank))
  }
  b <- coef(model)
  v <- tryCatch(covariance(model), error = function(e) NULL)
  if (is.null(df)) df <- model$df.residual
  rows <- lapply(names, function(term) {
    if (is.na(b[term])) {
      return(row_of(analysis, term, n = n))
    }
    se <- if (is.null(v)) NA else suppressWarnings(sqrt(v[term, term]))
    with_t(analysis, term, n, b[term], se, df)
  })
  list(rows = do.call(rbind, rows), b = b, v = v, df = df)
}

clustered <- function(cluster) {
  function(model) {
    if (length(unique(cluster)) < 2) {
      return(NULL)
    }
    vcovCL(model, cluster = cluster, type = "HC1")
  }
}

alliance_rows <- function(sample, positive) {
  hc3 <- coefficients_of("alliance_hc3", terms_of_model, sample, function(model) vcovHC(model, type = "HC3"))
  groups <- length(unique(sample$main_provider))
  cr1 <- coefficients_of("alliance_clustered", terms_of_model, sample, clustered(sample$main_provider), groups - 1)

  split <- sample
  split$alliance_between <- if (nrow(sample)) ave(sample$alliance, sample$main_provider) else numeric()
  split$alliance_within <- sample$alliance - split$alliance_between
  # What is left of a mean of equal numbers is rounding.
  split$alliance_within[abs(split$alliance_within) < 1e-12] <- 0
  if (groups == 1) split$alliance_between <- rep(split$alliance_between[1], nrow(split))
  parts <- c(covariates, "alliance_within", "alliance_between")
  both <- coefficients_of("alliance_within_between", parts, split, clustered(sample$main_provider), groups - 1)
  name <- "alliance_between - alliance_within"
  difference <- row_of("alliance_within_between", name, n = nrow(sample))
  if (!is.null(both$b)) {
    pair <- c("alliance_between", "alliance_within")
    if (!any(is.na(both$b[pair]))) {
      d <- both$b[pair[1]] - both$b[pair[2]]
      se <- NA
      if (!is.null(both$v)) se <- sqrt(sum(both$v[pair, pair] * c(1, -1, -1, 1)))
      difference <- with_t("alliance_within_between", name, nrow(sample), d, se, both$df)
    }
  }

  everyone <- positive
  everyone$sex_missing <- as.numeric(is.na(everyone$sex))
  everyone$male <- as.numeric(!is.na(everyone$sex) & everyone$sex == "male")
  missing_level <- coefficients_of(
    "alliance_sex_missing_level", c("age_years", "male", "sex_missing", "time_in_care", "baseline_score", "alliance"), everyone
  )
  without_sex <- coefficients_of("alliance_without_sex", setdiff(terms_of_model, "male"), everyone)
  early <- sample
  early$alliance <- early$alliance_first_sessions
  first_sessions <- coefficients_of("alliance_first_sessions", terms_of_model, early)
  rbind(
    hc3$rows, cr1$rows, both$rows, difference, missing_level$rows, without_sex$rows, first_sessions$rows
  )
}

grid_rows <- function(cohort) {
  rows <- list()
  for (highest in c(28, 50)) {
    for (days in c(7, 14, 28)) {
      for (which in c("mean", "first", "last")) {
        chosen <- cohort[cohort$baseline_score <= highest & cohort$follow_up_days >= days & !is.na(cohort$sex), ]
        chosen$alliance <- chosen[[paste0("alliance_", which)]]
        term <- sprintf("cutoff=%d,min_days=%d,alliance=%s", highest, days, which)
        fit <- coefficients_of("definition_grid", terms_of_model, chosen)$rows
        fit <- fit[fit$term == "alliance", ]
        fit$term <- gsub(",", ";", term)
        rows <- c(rows, list(fit))
      }
    }
  }
  do.call(rbind, rows)
}

rater_rows <- function(reachable) {
  analysis <- "alliance_rater_weighted"
  everyone <- reachable[reachable$baseline_score <= cutoff & !is.na(reachable$sex), ]
  raters <- everyone[everyone$rated, ]
  blank <- do.call(rbind, lapply(c("(Intercept)", terms_of_model), function(term) {
    row_of(analysis, term, n = nrow(raters))
  }))
  if (nrow(raters) == 0) {
    return(blank)
  }
  everyone$sessions_class <- cut(everyone$total_sessions, c(0, 1, 2, 4, 8, Inf))
  everyone$age_class <- cut(everyone$age_years, c(-Inf, 24, 34, 44, 54, Inf))
  everyone$baseline_class <- cut(everyone$baseline_score, c(-Inf, 8, 20, 28))
  everyone$sex <- factor(everyone$sex, c("female", "male"))
  # A factor with one level has no coefficient, and glm refuses it.
  factors <- c("utilization_type", "sex", "sessions_class", "age_class", "baseline_class")
  varying <- factors[sapply(factors, function(name) length(unique(everyone[[name]])) > 1)]
  model <- suppressWarnings(glm(reformulate(c("1", varying), "rated"), binomial, everyone))
  chance <- fitted(model)
  if (any(chance < 1e-8 | chance > 1 - 1e-8)) {
    return(blank)
  }
  coefficients_of(
    analysis, terms_of_model, raters, function(model) vcovHC(model, type = "HC0"),
    weights = 1 / chance[everyone$rated]
  )$rows
}

icc_row <- function(cohort) {
  analysis <- "alliance_provider_icc"
  sizes <- table(cohort$main_provider)
  n <- nrow(cohort)
  groups <- length(sizes)
  if (groups < 2 || n <= groups || length(unique(round(cohort$alliance_mean, 12))) == 1) {
    return(row_of(analysis, "main_provider", n = n))
  }
  table <- summary(aov(alliance_mean ~ factor(main_provider), cohort))[[1]]
  between <- table[1, "Mean Sq"]
  within <- table[2, "Mean Sq"]
  size <- (n - sum(sizes^2) / n) / (groups - 1)
  row_of(analysis, "main_provider",
    n = n, estimate = (between - within) / (between + (size - 1) * within), statistic = table[1, "F value"],
    df = table[1, "Df"], df_residual = table[2, "Df"], p_value = table[1, "Pr(>F)"]
  )
}

# --- Well-being ---------------------------------------------------------------------------

wilson_row <- function(analysis, term, events) {
  n <- length(events)
  if (n == 0 || anyNA(events)) {
    return(row_of(analysis, term, n = n))
  }
  test <- suppressWarnings(prop.test(sum(events), n, correct = FALSE))
  row_of(analysis, term, n = n, estimate = test$estimate, ci_low = test$conf.int[1], ci_high = test$conf.int[2])
}

wellbeing_rows <- function(cohort, positive) {
  change <- positive$followup_score - positive$baseline_score
  n <- length(change)
  r <- if (isTRUE(sd(cohort$baseline_score) > 0) && isTRUE(sd(cohort$followup_score) > 0)) {
    cor(cohort$baseline_score, cohort$followup_score)
  } else {
    NA
  }
  expected <- (1 - r) * (mean(cohort$baseline_score) - mean(positive$baseline_score))
  observed <- mean(change)

  # The export spreads a score over the five items: the first of them get one more.
  points <- cohort$baseline_score / 4
  items <- sapply(1:5, function(i) points %/% 5 + (i <= points %% 5))
  threshold <- NA
  if (nrow(cohort) > 1 && sd(cohort$baseline_score) > 0) {
    covariance <- cov(matrix(items, ncol = 5))
    alpha <- 5 / 4 * (1 - sum(diag(covariance)) / sum(covariance))
    threshold <- 1.96 * sqrt(2) * sd(cohort$baseline_score) * sqrt(1 - alpha)
  }
  recovered <- positive$followup_score > cutoff

  groups <- split(change, positive$utilization_type)
  sizes <- sapply(groups, length)
  first <- groups$telecoaching
  second <- groups$teletherapy
  equivalence <- row_of("wellbeing_equivalence", "telecoaching - teletherapy", n = length(first) + length(second))
  if (length(first) > 1 && length(second) > 1 && var(first) + var(second) > 0) {
    above <- t.test(first, second, mu = -margin, alternative = "greater")
    below <- t.test(first, second, mu = margin, alternative = "less")
    worse <- if (above$p.value >= below$p.value) above else below
    limits <- t.test(first, second, conf.level = 0.90)$conf.int
    equivalence <- row_of("wellbeing_equivalence", "telecoaching - teletherapy",
      n = length(first) + length(second), estimate = mean(first) - mean(second), std_error = above$stderr,
      statistic = worse$statistic, df_residual = above$parameter, p_value = worse$p.value,
      ci_low = limits[1], ci_high = limits[2]
    )
  }
  welch <- row_of("wellbeing_change_welch", "utilization_type", n = n)
  # As everywhere: a comparison with an empty group is none.
  if (all(sizes > 1) && all(sapply(groups, var) > 0)) {
    test <- oneway.test(change ~ positive$utilization_type, var.equal = FALSE)
    welch <- row_of("wellbeing_change_welch", "utilization_type",
      n = n, statistic = test$statistic, df = test$parameter[1], df_residual = test$parameter[2], p_value = test$p.value
    )
  }
  rbind(
    row_of("wellbeing_regression_to_mean", "expected", n = n, estimate = expected),
    row_of("wellbeing_regression_to_mean", "observed", n = n, estimate = observed),
    row_of("wellbeing_regression_to_mean", "beyond", n = n, estimate = observed - expected),
    row_of("reliable_change", "threshold", n = nrow(cohort), estimate = threshold),
    wilson_row("reliable_change", "reliable_improvement", change > threshold),
    wilson_row("reliable_change", "reliable_recovery", change > threshold & (recovered | is.na(threshold))),
    wilson_row("reliable_change", "reliable_deterioration", change < -threshold),
    wilson_row("reliable_change", "deterioration", change <= -improvement),
    equivalence,
    welch
  )
}

# --- Alliance -----------------------------------------------------------------------------

# Brunner & Munzel 2000; lawstat::brunner.munzel.test, whose estimate is P(first < second) + P(equal) / 2.
brunner_munzel <- function(analysis, term, x, y) {
  n1 <- length(x)
  n2 <- length(y)
  if (n1 == 0 || n2 == 0) {
    return(row_of(analysis, term, n = n1 + n2))
  }
  r <- rank(c(x, y))
  r1 <- r[seq_len(n1)]
  r2 <- r[n1 + seq_len(n2)]
  estimate <- (mean(r1) - (n1 + 1) / 2) / n2
  if (n1 == 1 || n2 == 1) {
    return(row_of(analysis, term, n = n1 + n2, estimate = estimate))
  }
  v1 <- sum((r1 - rank(x) - mean(r1) + (n1 + 1) / 2)^2) / (n1 - 1)
  v2 <- sum((r2 - rank(y) - mean(r2) + (n2 + 1) / 2)^2) / (n2 - 1)
  if (v1 + v2 == 0) {
    return(row_of(analysis, term, n = n1 + n2, estimate = estimate))
  }
  t <- n1 * n2 * (mean(r1) - mean(r2)) / (n1 + n2) / sqrt(n1 * v1 + n2 * v2)
  df <- (n1 * v1 + n2 * v2)^2 / ((n1 * v1)^2 / (n1 - 1) + (n2 * v2)^2 / (n2 - 1))
  se <- sqrt(v1 / (n1 * n2^2) + v2 / (n2 * n1^2))
  row_of(analysis, term,
    n = n1 + n2, estimate = estimate, std_error = se, statistic = t, df_residual = df, p_value = 2 * pt(-abs(t), df),
    ci_low = max(estimate - qt(0.975, df) * se, 0), ci_high = min(estimate + qt(0.975, df) * se, 1)
  )
}

superiority_rows <- function(cohort) {
  score <- cohort$alliance_mean
  pick <- function(condition) score[!is.na(condition) & condition]
  us <- cohort$country_code == "US"
  positive <- cohort$baseline_score <= cutoff
  rbind(
    brunner_munzel("alliance_superiority_by_sex", "female - male", pick(cohort$sex == "female"), pick(cohort$sex == "male")),
    brunner_munzel("alliance_superiority_by_country", "outside_usa - within_usa", pick(!us), pick(us)),
    brunner_munzel("alliance_superiority_by_depression_screen", "positive - negative", pick(positive), pick(!positive))
  )
}

# The published P, by make_golden.R.
multiplicity_rows <- function(folder) {
  results <- read.csv(file.path(folder, "inference_results.csv"))
  tests <- c(
    "alliance_by_sex", "alliance_by_country", "alliance_by_depression_screen", "alliance_vs_age", "alliance_by_utilization"
  )
  five <- results[match(tests, results$analysis), ]
  adjusted <- p.adjust(five$p_value, "holm")
  do.call(rbind, lapply(seq_along(tests), function(i) {
    row_of("aim_1_multiplicity", tests[i], n = five$n[i], p_value = five$p_value[i], p_adjusted = adjusted[i])
  }))
}

# --- All cohorts --------------------------------------------------------------------------

read_participants <- function(folder) {
  people <- read.csv(file.path(folder, "participant.csv"),
    na.strings = "", colClasses = c(sex = "character", country_code = "character")
  )
  ratings <- read.csv(file.path(folder, "ratings.csv"), na.strings = "")
  sessions <- read.csv(file.path(folder, "sessions.csv"), na.strings = "", colClasses = c(provider_id = "character"))
  ratings$answered <- as.integer(!is.na(ratings$bond_item)) + as.integer(!is.na(ratings$goals_item))
  ratings$answers <- rowSums(ratings[c("bond_item", "goals_item")], na.rm = TRUE)
  of <- split(ratings, factor(ratings$participant_id, people$participant_id))
  score <- function(rows) if (nrow(rows)) sum(rows$answers) / sum(rows$answered) else NA_real_
  people$rated <- sapply(of, nrow) > 0
  people$alliance_mean <- sapply(of, score)
  people$alliance_first <- sapply(of, function(rows) score(rows[rows$session == min(rows$session, Inf), ]))
  people$alliance_last <- sapply(of, function(rows) score(rows[rows$session == max(rows$session, -Inf), ]))
  people$alliance_first_sessions <- sapply(of, function(rows) {
    score(rows[rows$session %in% head(sort(unique(rows$session)), 3), ])
  })
  seen <- split(sessions, factor(sessions$participant_id, people$participant_id))
  people$main_provider <- sapply(people$participant_id, function(id) {
    rows <- seen[[id]]
    rows <- rows[!is.na(rows$provider_id), ]
    if (nrow(rows) == 0) {
      return(paste("participant", id))
    }
    counts <- table(rows$provider_id)
    most <- names(counts)[counts == max(counts)]
    rows$provider_id[rows$provider_id %in% most][1]
  })
  people$male <- as.numeric(people$sex == "male")
  people$time_in_care <- people$time_in_care_days
  people$utilization_type <- factor(people$utilization_type, types)
  people$alliance <- people$alliance_mean
  people
}

for (folder in dirname(Sys.glob(file.path(golden, "*", "participant.csv")))) {
  reachable <- read_participants(folder)
  cohort <- reachable[reachable$rated, ]
  positive <- cohort[cohort$baseline_score <= cutoff, ]
  sample <- positive[!is.na(positive$sex), ]
  results <- rbind(
    alliance_rows(sample, positive), rater_rows(reachable), icc_row(cohort), grid_rows(cohort),
    wellbeing_rows(cohort, positive), superiority_rows(cohort), multiplicity_rows(folder)
  )
  write_golden(results, file.path(folder, "sensitivity_results.csv"))
}
