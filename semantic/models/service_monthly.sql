-- marts.service_monthly as the warehouse has published it; never run.
select * from published.marts.service_monthly
