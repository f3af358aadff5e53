-- MetricFlow asks for a time spine; no metric here fills gaps, so none is read, and this is never run.
select cast(range as date) as day from range(date '2000-01-01', date '2100-01-01', interval 1 day)
