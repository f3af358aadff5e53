# Golden figures of every cohort, by base R: Rscript tests/golden/make_golden.R
#
# A figure that R does not give (an error, NaN, no residual degrees of freedom) is NA.

arguments <- commandArgs(trailingOnly = FALSE)
script <- sub("^--file=", "", grep("^--file=", arguments, value = TRUE))
golden <- dirname(normalizePath(script))

types <- c("teletherapy", "telecoaching", "both")
cutoff <- 28
improvement <- 10

figures <- c(
  "n", "estimate", "std_error", "standardized_estimate", "y_standardized_estimate", "statistic", "df", "df_residual",
  "p_value", "p_adjusted", "ci_low", "ci_high", "effect_size"
)

row_of <- function(analysis, term, ...) {
  given <- list(...)
  stopifnot(all(names(given) %in% figures))
  row <- setNames(as.list(rep(NA_real_, length(figures))), figures)
  for (name in names(given)) {
    value <- unname(as.numeric(given[[name]]))
    row[[name]] <- if (is.finite(value)) value else NA_real_
  }
  data.frame(analysis = analysis, term = term, row)
}

write_golden <- function(frame, file) {
  for (name in names(frame)) {
    if (is.numeric(frame[[name]])) {
      frame[[name]] <- ifelse(is.na(frame[[name]]), NA, sprintf("%.17g", frame[[name]]))
    }
  }
  write.csv(frame, file, row.names = FALSE, quote = FALSE, na = "NA")
}

# --- Aim 1: alliance ----------------------------------------------------------------------

cronbach <- function(bond, goals, term) {
  complete <- !is.na(bond) & !is.na(goals)
  items <- cbind(bond, goals)[complete, , drop = FALSE]
  n <- nrow(items)
  alpha <- NA
  if (n > 1) {
    covariance <- cov(items)
    alpha <- 2 * (1 - sum(diag(covariance)) / sum(covariance))
  }
  row_of("alliance_reliability", term, n = n, estimate = alpha)
}

mann_whitney <- function(analysis, term, x, y) {
  n <- length(x) + length(y)
  if (length(x) == 0 || length(y) == 0 || length(unique(c(x, y))) == 1) {
    return(row_of(analysis, term, n = n))
  }
  test <- suppressWarnings(wilcox.test(x, y, exact = FALSE, correct = TRUE))
  ties <- table(c(x, y))
  sigma <- sqrt(length(x) * length(y) / 12 * ((n + 1) - sum(ties^3 - ties) / (n * (n - 1))))
  z <- (unname(test$statistic) - length(x) * length(y) / 2) / sigma
  row_of(analysis, term,
    n = n, estimate = median(x) - median(y), statistic = test$statistic,
    p_value = test$p.value, effect_size = abs(z) / sqrt(n)
  )
}

spearman <- function(age, score) {
  n <- length(age)
  if (n < 3 || length(unique(age)) == 1 || length(unique(score)) == 1) {
    return(row_of("alliance_vs_age", "age_years", n = n))
  }
  test <- cor.test(age, score, method = "spearman", exact = FALSE)
  rho <- unname(test$estimate)
  row_of("alliance_vs_age", "age_years",
    n = n, estimate = rho, statistic = rho * sqrt((n - 2) / (1 - rho^2)), df = n - 2,
    p_value = test$p.value
  )
}

kruskal <- function(score, type) {
  n <- length(score)
  analysis <- "alliance_by_utilization"
  if (any(table(type) == 0) || length(unique(score)) == 1) {
    return(row_of(analysis, "utilization_type", n = n))
  }
  test <- kruskal.test(score, type)
  h <- unname(test$statistic)
  row_of(analysis, "utilization_type",
    n = n, statistic = h, df = test$parameter, p_value = test$p.value,
    effect_size = (h - 3 + 1) / (n - 3)
  )
}

dunn <- function(score, type) {
  contrasts <- list(
    c("telecoaching", "teletherapy"), c("telecoaching", "both"), c("teletherapy", "both")
  )
  n <- length(score)
  ranks <- rank(score)
  ties <- table(score)
  variance <- n * (n + 1) / 12 - sum(ties^3 - ties) / (12 * (n - 1))
  rows <- lapply(contrasts, function(pair) {
    x <- ranks[type == pair[1]]
    y <- ranks[type == pair[2]]
    term <- paste(pair, collapse = " - ")
    analysis <- "alliance_by_utilization_dunn"
    size <- length(x) + length(y)
    if (length(x) == 0 || length(y) == 0 || length(ties) == 1) {
      return(row_of(analysis, term, n = size))
    }
    std_error <- sqrt(variance * (1 / length(x) + 1 / length(y)))
    z <- (mean(x) - mean(y)) / std_error
    row_of(analysis, term,
      n = size, estimate = mean(x) - mean(y), std_error = std_error, statistic = z,
      p_value = 2 * pnorm(-abs(z))
    )
  })
  rows <- do.call(rbind, rows)
  rows$p_adjusted <- p.adjust(rows$p_value, "holm")
  rows
}

alliance_results <- function(cohort, ratings) {
  score <- cohort$alliance_score
  us <- cohort$country_code == "US"
  positive <- cohort$baseline_score <= cutoff
  pick <- function(condition) score[!is.na(condition) & condition]
  groups <- list(
    female = pick(cohort$sex == "female"), male = pick(cohort$sex == "male"),
    within_usa = pick(us), outside_usa = pick(!us),
    screened_positive = pick(positive), screened_negative = pick(!positive),
    teletherapy = pick(cohort$utilization_type == "teletherapy"),
    telecoaching = pick(cohort$utilization_type == "telecoaching"),
    both = pick(cohort$utilization_type == "both"), total = score
  )
  medians <- lapply(names(groups), function(term) {
    x <- groups[[term]]
    row_of("alliance_group_medians", term, n = length(x), estimate = median(x))
  })
  rbind(
    cronbach(cohort$bond_mean, cohort$goals_mean, "participant_means"),
    cronbach(ratings$bond_item, ratings$goals_item, "session_ratings"),
    do.call(rbind, medians),
    spearman(cohort$age_years, score),
    mann_whitney("alliance_by_sex", "female - male", groups$female, groups$male),
    mann_whitney(
      "alliance_by_country", "outside_usa - within_usa", groups$outside_usa, groups$within_usa
    ),
    mann_whitney(
      "alliance_by_depression_screen", "positive - negative",
      groups$screened_positive, groups$screened_negative
    ),
    kruskal(score, cohort$utilization_type),
    dunn(score, cohort$utilization_type)
  )
}

# --- Aim 2: change of well-being ----------------------------------------------------------

paired <- function(baseline, followup) {
  analysis <- "wellbeing_change"
  change <- followup - baseline
  n <- length(change)
  d_z <- d_rm <- d_av <- NA
  if (n > 1 && sd(change) > 0) {
    d_z <- mean(change) / sd(change)
    d_av <- mean(change) / ((sd(baseline) + sd(followup)) / 2)
    if (sd(baseline) > 0 && sd(followup) > 0) {
      r <- cor(baseline, followup)
      if (1 - r > 1e-12) d_rm <- mean(change) / (sd(change) / sqrt(2 * (1 - r)))
    }
  }
  test <- if (n > 1) tryCatch(t.test(followup, baseline, paired = TRUE), error = identity)
  main <- if (inherits(test, "htest")) {
    row_of(analysis, "followup - baseline",
      n = n, estimate = test$estimate, std_error = test$stderr, statistic = test$statistic,
      df = test$parameter, p_value = test$p.value, ci_low = test$conf.int[1],
      ci_high = test$conf.int[2], effect_size = d_rm
    )
  } else {
    row_of(analysis, "followup - baseline", n = n)
  }
  percent <- if (n > 0) 100 * mean(change) / mean(baseline) else NA
  rbind(
    main,
    row_of(analysis, "d_z", n = n, estimate = d_z, effect_size = d_z),
    row_of(analysis, "d_rm", n = n, estimate = d_rm, effect_size = d_rm),
    row_of(analysis, "d_av", n = n, estimate = d_av, effect_size = d_av),
    row_of(analysis, "percent_change", n = n, estimate = percent)
  )
}

change_means <- function(change, type) {
  rows <- lapply(types, function(name) {
    x <- change[type == name]
    n <- length(x)
    std_error <- if (n > 1) sd(x) / sqrt(n) else NA
    half_width <- if (n > 1) qt(0.975, n - 1) * std_error else NA
    row_of("wellbeing_change_group_means", name,
      n = n, estimate = mean(x), std_error = std_error,
      ci_low = mean(x) - half_width, ci_high = mean(x) + half_width
    )
  })
  do.call(rbind, rows)
}

change_by_type <- function(change, type) {
  n <- length(change)
  sizes <- table(type)
  present <- sum(sizes > 0)
  can_test <- present > 1 && n > present
  analysis <- "wellbeing_change_by_utilization"
  overall <- row_of(analysis, "utilization_type", n = n)
  tukey <- NULL
  if (can_test) {
    type <- droplevels(type)
    model <- aov(change ~ type)
    within <- summary(model)[[1]]
    if (present == 3) {
      overall <- row_of(analysis, "utilization_type",
        n = n, statistic = within[1, "F value"], df = within[1, "Df"],
        df_residual = within[2, "Df"], p_value = within[1, "Pr(>F)"],
        effect_size = within[1, "Sum Sq"] / sum(within[, "Sum Sq"])
      )
    }
    if (model$df.residual >= 2) tukey <- TukeyHSD(model)$type
  }
  contrasts <- list(
    c("telecoaching", "teletherapy"), c("both", "teletherapy"), c("both", "telecoaching")
  )
  rows <- lapply(contrasts, function(pair) {
    analysis <- "wellbeing_change_by_utilization_tukey"
    term <- paste(pair, collapse = " - ")
    name <- paste(pair, collapse = "-")
    size <- sum(sizes[pair])
    if (is.null(tukey) || !name %in% rownames(tukey)) {
      return(row_of(analysis, term, n = size))
    }
    std_error <- sqrt(sum(residuals(model)^2) / model$df.residual * sum(1 / sizes[pair]))
    row_of(analysis, term,
      n = size, estimate = tukey[name, "diff"], std_error = std_error,
      statistic = tukey[name, "diff"] / std_error, df_residual = model$df.residual,
      p_adjusted = tukey[name, "p adj"], ci_low = tukey[name, "lwr"],
      ci_high = tukey[name, "upr"]
    )
  })
  rbind(overall, do.call(rbind, rows))
}

rate <- function(analysis, events) {
  n <- length(events)
  if (n == 0) {
    return(row_of(analysis, "screened_positive", n = n))
  }
  test <- suppressWarnings(prop.test(sum(events), n, correct = FALSE))
  row_of(analysis, "screened_positive",
    n = n, estimate = test$estimate, ci_low = test$conf.int[1], ci_high = test$conf.int[2]
  )
}

wellbeing_results <- function(cohort) {
  positive <- cohort[cohort$baseline_score <= cutoff, ]
  change <- positive$followup_score - positive$baseline_score
  rbind(
    paired(positive$baseline_score, positive$followup_score),
    change_means(change, positive$utilization_type),
    change_by_type(change, positive$utilization_type),
    rate("clinical_recovery", positive$followup_score > cutoff),
    rate("clinical_improvement", change >= improvement)
  )
}

# --- Aim 3: regressions -------------------------------------------------------------------

covariates <- c("age_years", "male", "time_in_care")
main_effects <- c(covariates, "baseline_score", "alliance")
continuous <- c("followup_score", "age_years", "time_in_care", "baseline_score", "alliance")
regressions <- list(
  alliance_predicts_wellbeing = list(
    steps = list(covariates, "baseline_score", "alliance"), scaled = character()
  ),
  moderation_by_utilization = list(
    steps = list(
      c(main_effects, "telecoaching", "both"), c("alliance:telecoaching", "alliance:both")
    ),
    scaled = continuous
  ),
  moderation_by_baseline = list(
    steps = list(main_effects, "alliance:baseline_score"), scaled = continuous
  ),
  moderation_by_sessions = list(
    steps = list(c(main_effects, "total_sessions"), "alliance:total_sessions"),
    scaled = c(continuous, "total_sessions")
  )
)

regression_results <- function(sample, analysis) {
  specification <- regressions[[analysis]]
  terms <- unlist(specification$steps)
  n <- nrow(sample)
  results <- do.call(rbind, lapply(c("(Intercept)", terms), function(term) {
    row_of(analysis, term, n = n)
  }))
  fits <- data.frame(
    analysis = analysis, step = seq_along(specification$steps),
    terms = sapply(seq_along(specification$steps), function(step) {
      paste(unlist(specification$steps[seq_len(step)]), collapse = " + ")
    }),
    n = n, r_squared = NA_real_, delta_r_squared = NA_real_, f_change = NA_real_, df = NA_real_,
    df_residual = NA_real_, p_value = NA_real_
  )
  # A covariate without variance has no z-score: it stays as it is, and lm aliases it. Without the outcome or a factor
  # of an interaction there is no model.
  varies <- function(variables) sapply(variables, function(v) isTRUE(sd(sample[[v]]) > 0))
  factors <- unlist(strsplit(grep(":", terms, value = TRUE), ":"))
  indispensable <- intersect(specification$scaled, c("followup_score", factors))
  if (n < 3 || !all(unlist(varies(indispensable)))) {
    return(list(results = results, fits = fits))
  }
  for (variable in specification$scaled[unlist(varies(specification$scaled))]) {
    sample[[variable]] <- (sample[[variable]] - mean(sample[[variable]])) / sd(sample[[variable]])
  }
  # The interactions as columns, so that lm takes the terms in the declared order.
  for (term in grep(":", terms, value = TRUE)) {
    parts <- strsplit(term, ":")[[1]]
    sample[[term]] <- sample[[parts[1]]] * sample[[parts[2]]]
  }
  previous <- lm(followup_score ~ 1, sample)
  total <- sum(residuals(previous)^2)
  for (step in seq_along(specification$steps)) {
    now <- unlist(specification$steps[seq_len(step)])
    model <- lm(reformulate(sprintf("`%s`", now), "followup_score"), sample)
    if (model$df.residual > 0) {
      change <- anova(previous, model)
      df <- previous$df.residual - model$df.residual
      fits$r_squared[step] <- summary(model)$r.squared
      fits$delta_r_squared[step] <- if (df > 0) change[2, "Sum of Sq"] / total else 0
      fits$df[step] <- df
      fits$df_residual[step] <- model$df.residual
      if (df > 0) {
        fits$f_change[step] <- change[2, "F"]
        fits$p_value[step] <- change[2, "Pr(>F)"]
      }
    }
    previous <- model
  }
  if (model$df.residual > 0) {
    table <- coef(summary(model))
    rownames(table) <- gsub("`", "", rownames(table))
    limits <- confint(model)
    rownames(limits) <- gsub("`", "", rownames(limits))
    for (term in intersect(c("(Intercept)", terms), rownames(table))) {
      beta <- NA
      y_beta <- NA
      if (term != "(Intercept)") {
        beta <- table[term, 1] * sd(sample[[term]]) / sd(sample$followup_score)
        y_beta <- table[term, 1] / sd(sample$followup_score)
      }
      results[results$term == term, ] <- row_of(analysis, term,
        n = n, estimate = table[term, 1], std_error = table[term, 2],
        standardized_estimate = beta, y_standardized_estimate = y_beta, statistic = table[term, 3],
        df_residual = model$df.residual, p_value = table[term, 4],
        ci_low = limits[term, 1], ci_high = limits[term, 2]
      )
    }
  }
  list(results = results, fits = fits)
}

# --- Table 1 ------------------------------------------------------------------------------

table_1 <- function(cohort) {
  numeric <- c(
    "age_years", "alliance_score", "follow_up_days", "total_sessions", "time_in_care_days"
  )
  cell <- function(variable, level, type, statistic, value) {
    value <- if (is.finite(value)) value else NA_real_
    data.frame(variable, level, utilization_type = type, statistic, value = value)
  }
  counted <- function(variable, level, type, is_level, base) {
    count <- sum(is_level, na.rm = TRUE)
    rbind(
      cell(variable, level, type, "n", count),
      cell(variable, level, type, "percent", 100 * count / base)
    )
  }
  rows <- list()
  for (type in c(types, "total")) {
    members <- if (type == "total") cohort else cohort[cohort$utilization_type == type, ]
    size <- nrow(members)
    us <- members$country_code == "US"
    known <- sum(!is.na(us))
    rows <- c(rows, list(
      cell("participants", NA, type, "n", size),
      cell("participants", NA, type, "percent", 100 * size / nrow(cohort)),
      counted("sex", "female", type, members$sex == "female", size),
      counted("sex", "male", type, members$sex == "male", size),
      counted("sex", "missing", type, is.na(members$sex), size),
      counted("country", "within_usa", type, us, known),
      counted("country", "outside_usa", type, !us, known),
      counted("screened_positive", NA, type, members$baseline_score <= cutoff, size)
    ))
    for (variable in numeric) {
      x <- members[[variable]]
      rows <- c(rows, list(
        cell(variable, NA, type, "n", length(x)),
        cell(variable, NA, type, "mean", mean(x)),
        cell(variable, NA, type, "sd", sd(x)),
        cell(variable, NA, type, "median", median(x)),
        cell(variable, NA, type, "min", if (length(x)) min(x) else NA),
        cell(variable, NA, type, "max", if (length(x)) max(x) else NA)
      ))
    }
  }
  do.call(rbind, rows)
}

# --- All cohorts --------------------------------------------------------------------------

read_cohort <- function(folder) {
  cohort <- read.csv(file.path(folder, "participant.csv"),
    na.strings = "", colClasses = c(sex = "character", country_code = "character")
  )
  ratings <- read.csv(file.path(folder, "ratings.csv"), na.strings = "")
  rated_by <- factor(ratings$participant_id, cohort$participant_id)
  answered <- as.integer(!is.na(ratings$bond_item)) + as.integer(!is.na(ratings$goals_item))
  answers <- rowSums(ratings[c("bond_item", "goals_item")], na.rm = TRUE)
  cohort$alliance_score <- as.vector(tapply(answers, rated_by, sum) / tapply(answered, rated_by, sum))
  item_mean <- function(x) as.vector(tapply(x, rated_by, mean, na.rm = TRUE))
  cohort$bond_mean <- item_mean(ratings$bond_item)
  cohort$goals_mean <- item_mean(ratings$goals_item)
  cohort$utilization_type <- factor(cohort$utilization_type, types)
  list(cohort = cohort, ratings = ratings)
}

for (folder in dirname(Sys.glob(file.path(golden, "*", "participant.csv")))) {
  data <- read_cohort(folder)
  cohort <- data$cohort[!is.na(data$cohort$alliance_score), ]
  sample <- cohort[cohort$baseline_score <= cutoff & !is.na(cohort$sex), ]
  sample$male <- as.numeric(sample$sex == "male")
  sample$telecoaching <- as.numeric(sample$utilization_type == "telecoaching")
  sample$both <- as.numeric(sample$utilization_type == "both")
  sample$alliance <- sample$alliance_score
  sample$time_in_care <- sample$time_in_care_days
  models <- lapply(names(regressions), function(analysis) regression_results(sample, analysis))
  results <- rbind(
    alliance_results(cohort, data$ratings),
    wellbeing_results(cohort),
    do.call(rbind, lapply(models, `[[`, "results"))
  )
  write_golden(results, file.path(folder, "inference_results.csv"))
  write_golden(do.call(rbind, lapply(models, `[[`, "fits")), file.path(folder, "model_fit.csv"))
  write_golden(table_1(cohort), file.path(folder, "table_1.csv"))
}

# --- Studentized range --------------------------------------------------------------------

grid <- expand.grid(
  q = c(0.01, 0.5, 1, 2, 3, 3.3, 4, 5, 6, 8, 10),
  groups = c(2, 3, 4, 10),
  df = c(
    2, 3, 5, 10, 21, 60, 100, 101, 119, 120, 250, 800, 801, 832, 5000, 5001, 24000, 25000,
    25001, 1e7
  )
)
grid$p <- ptukey(grid$q, grid$groups, grid$df, lower.tail = FALSE)
grid$quantile <- qtukey(0.95, grid$groups, grid$df)
write_golden(grid, file.path(golden, "studentized_range.csv"))
