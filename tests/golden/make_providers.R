# Golden figures of the alliance by provider of every cohort: Rscript tests/golden/make_providers.R
#
# Base R: aov for the mean squares, the rest by its formula (Shrout & Fleiss 1979; Raudenbush & Bryk 2002;
# Spiegelhalter 2005). A figure that cannot be computed is NA.

arguments <- commandArgs(trailingOnly = FALSE)
script <- sub("^--file=", "", grep("^--file=", arguments, value = TRUE))
golden <- dirname(normalizePath(script))

figures_of_type <- function(scores) {
  sizes <- table(scores$provider_id)
  n <- nrow(scores)
  groups <- length(sizes)
  found <- list(type_mean = mean(scores$score), icc = NA, sd_within = NA)
  within <- scores$score - ave(scores$score, scores$provider_id)
  if (n > groups) {
    found$sd_within <- sqrt(sum(within^2) / (n - groups))
  }
  if (groups > 1 && n > groups && sum(within^2) > 1e-20 * sum(scores$score^2)) {
    squares <- summary(aov(score ~ factor(provider_id), scores))[[1]][["Mean Sq"]]
    found$sd_within <- sqrt(squares[2])
    n0 <- (n - sum(sizes^2) / n) / (groups - 1)
    found$icc <- max((squares[1] - squares[2]) / (squares[1] + (n0 - 1) * squares[2]), 0)
  }
  found
}

rows_of_type <- function(sessions, type) {
  empty <- data.frame()
  of_type <- sessions[sessions$provider_type == type, ]
  if (!nrow(of_type)) {
    return(empty)
  }
  of_type$provider_id[is.na(of_type$provider_id)] <- ""
  by <- of_type[c("provider_id", "participant_id")]
  scores <- aggregate(of_type[c("answers", "answered", "rated")], by, sum)
  scores$score <- scores$answers / scores$answered
  named <- scores[scores$provider_id != "", ]
  found <- if (nrow(named)) figures_of_type(named) else list(type_mean = NA, icc = NA, sd_within = NA)
  rows <- lapply(sort(unique(scores$provider_id), method = "radix"), function(id) {
    own <- scores[scores$provider_id == id, ]
    n <- nrow(own)
    m <- mean(own$score)
    icc <- if (id == "") NA else found$icc
    spread <- if (id == "") NA else found$sd_within
    half <- if (is.na(icc)) c(NA, NA) else qnorm(c(0.975, 0.999)) * spread / sqrt(n)
    weight <- n * icc / (1 + (n - 1) * icc)
    data.frame(
      provider_type = type, provider_id = id, rated_sessions = sum(own$rated), participants = n, alliance_mean = m,
      shrunken_mean = found$type_mean + weight * (m - found$type_mean), type_mean = found$type_mean, icc = icc,
      sd_within = spread, lower_95 = found$type_mean - half[1], upper_95 = found$type_mean + half[1],
      lower_998 = found$type_mean - half[2], upper_998 = found$type_mean + half[2]
    )
  })
  do.call(rbind, rows)
}

for (folder in sort(list.dirs(golden, recursive = FALSE), method = "radix")) {
  if (!file.exists(file.path(folder, "sessions.csv"))) {
    next
  }
  ratings <- read.csv(file.path(folder, "ratings.csv"), colClasses = c(participant_id = "character"))
  if (is.null(ratings$session)) {
    ratings$session <- ave(seq_len(nrow(ratings)), ratings$participant_id, FUN = seq_along)
  }
  given <- read.csv(
    file.path(folder, "sessions.csv"),
    na.strings = "", colClasses = c(participant_id = "character", provider_id = "character")
  )
  ratings$answered <- (!is.na(ratings$bond_item)) + (!is.na(ratings$goals_item))
  ratings <- ratings[ratings$answered > 0, ]
  ratings$answers <- rowSums(ratings[c("bond_item", "goals_item")], na.rm = TRUE)
  if (nrow(ratings)) {
    by_session <- aggregate(ratings[c("answers", "answered")], ratings[c("participant_id", "session")], sum)
    sessions <- merge(by_session, given, by = c("participant_id", "session"))
    stopifnot(nrow(sessions) == nrow(by_session))
    sessions$rated <- 1
  } else {
    sessions <- data.frame(provider_type = character())
  }
  frame <- do.call(rbind, lapply(c("therapist", "coach"), function(type) rows_of_type(sessions, type)))
  columns <- c(
    "provider_type", "provider_id", "rated_sessions", "participants", "alliance_mean", "shrunken_mean", "type_mean", "icc",
    "sd_within", "lower_95", "upper_95", "lower_998", "upper_998"
  )
  if (is.null(frame) || !nrow(frame)) {
    frame <- as.data.frame(matrix(character(), 0, length(columns), dimnames = list(NULL, columns)))
  }
  for (name in columns) {
    if (is.numeric(frame[[name]])) {
      frame[[name]] <- ifelse(is.na(frame[[name]]), NA, sprintf("%.17g", frame[[name]]))
    }
  }
  write.csv(frame[columns], file.path(folder, "provider_alliance.csv"), row.names = FALSE, quote = FALSE, na = "NA")
}
