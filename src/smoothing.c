/*-------------------------------------------------------------------------
 *
 * smoothing.c
 *	  Exponential smoothing of a regular series: fitting, choosing, forecasting
 *	  and simulating.
 *
 * The family is that of Hyndman, Koehler, Snyder and Grose (2002): an error, a
 * trend and a season, each added or multiplied, the trend damped or not.  With
 * q the level carried on by the trend and s the season, a value is expected at
 * q, q + s or q * s; then, for what it really is,
 *
 *	  level		l = q + alpha (deseasonalised value - q)
 *	  trend		b = phi b + beta_star (l - l before - phi b), or by quotients
 *	  season	s = s + gamma (value without q - s)
 *
 * "Classic" is what R calls HoltWinters (Holt 1957, Winters 1960): there the
 * season is that of the new level, not of q.
 *
 * The likelihood of a model is a sum of squares: -2 log L = n log sum (G e)^2,
 * where e is the error and G, for multiplied errors, the geometric mean of what
 * was expected, else 1.  So a fit is a least squares problem, solved by
 * Levenberg-Marquardt steps (1944, 1963) held within the bounds, from several
 * starts that are the same every time.
 *
 * Everything is computed of the values over a power of two near their mean, so
 * that steps and bounds fit any series and no digit is lost.
 *
 *-------------------------------------------------------------------------
 */
#include "smoothing.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"

#define MAX_ITERATIONS 60
#define ROUGH 1e-3				/* gain of a step, as a share, below which a
								 * search ends */
#define FINE 1e-11
#define LEAST_WEIGHT 1e-4		/* bounds of what is fitted, as R has them */
#define MOST_WEIGHT 0.9999
#define LEAST_PHI 0.8
#define MOST_PHI 0.98

/* What a run over the series depends on. */
typedef struct Run
{
	SmoothShape shape;
	int			period;
	double		alpha;
	double		beta_star;
	double		gamma;
	double		phi;
	double		level;			/* states, before and after */
	double		trend;
	double	   *seasonals;		/* a ring; next is its place */
	int			next;
} Run;

/* The search: which of a model's numbers are free, and where they stand. */
typedef enum FreeNumber
{
	FREE_ALPHA,
	FREE_BETA,
	FREE_GAMMA,
	FREE_PHI,
	FREE_LEVEL,
	FREE_TREND,
	FREE_SEASONAL				/* and those behind it */
} FreeNumber;

typedef struct Search
{
	SmoothShape shape;
	int			period;
	const double *y;
	int			n;
	int			start;
	double		at_start[FREE_SEASONAL];	/* where they are not free */
	double	   *seasonals;		/* before the first value */
	double	   *ring;			/* work space */
	int			n_free;
	int		   *which;
	double	   *low;
	double	   *high;
} Search;

/*
 * One pass over the series.  Writes the errors and the expected values where
 * they are wanted.  Returns the sum of squares to be made small, and whether
 * the model can be at all.
 */
static pg_attribute_always_inline bool
run_shape(Run *run, const double *y, int n, int start, double *errors, double *fitted, double *squares,
		  double *log_mean, int *count, bool multiplied_error, Component trend_kind, Component season_kind)
{
	double		l = run->level;
	double		b = run->trend;
	double		alpha = run->alpha;
	double		beta_star = run->beta_star;
	double		gamma = run->gamma;
	double		phi = run->phi;
	bool		classic = run->shape.classic;
	double	   *s = run->seasonals;
	int			period = run->period;
	int			j = run->next;
	double		sum = 0;
	double		product = 1;
	double		logs = 0;
	int			used = 0;

	for (int t = start; t < n; t++)
	{
		double		kept = 0;
		double		q = l;
		double		mu;
		double		value = y[t];
		double		e;
		double		l_before = l;

		if (trend_kind == COMPONENT_ADDED)
		{
			kept = phi * b;
			q = l + kept;
		}
		else if (trend_kind == COMPONENT_MULTIPLIED)
		{
			if (!(b > 0))
				return false;
			kept = phi == 1 ? b : pow(b, phi);
			q = l * kept;
		}
		mu = q;
		if (season_kind == COMPONENT_ADDED)
			mu = q + s[j];
		else if (season_kind == COMPONENT_MULTIPLIED)
		{
			mu = q * s[j];
			if (!(s[j] > 1e-12))
				return false;
		}
		if ((multiplied_error || season_kind == COMPONENT_MULTIPLIED || trend_kind == COMPONENT_MULTIPLIED) && !(mu > 1e-12))
			return false;
		if (isnan(value))
		{
			/* not known: nothing is learnt, and the states are carried on */
			if (errors != NULL)
				errors[t] = value;
			if (fitted != NULL)
				fitted[t] = value;
			l = q;
			b = trend_kind == COMPONENT_NONE ? b : kept;
		}
		else
		{
			e = value - mu;
			if (multiplied_error)
			{
				e /= mu;
				product *= mu;
				if (product > 1e150 || product < 1e-150)
				{
					logs += log(product);
					product = 1;
				}
			}
			sum += e * e;
			used++;
			if (errors != NULL)
				errors[t] = e;
			if (fitted != NULL)
				fitted[t] = mu;

			if (season_kind == COMPONENT_ADDED)
				l = q + alpha * (value - s[j] - q);
			else if (season_kind == COMPONENT_MULTIPLIED)
				l = q + alpha * (value / s[j] - q);
			else
				l = q + alpha * (value - q);
			if (trend_kind == COMPONENT_ADDED)
				b = kept + beta_star * (l - l_before - kept);
			else if (trend_kind == COMPONENT_MULTIPLIED)
				b = kept + beta_star * (l / l_before - kept);
			if (season_kind == COMPONENT_ADDED)
				s[j] += gamma * (value - (classic ? l : q) - s[j]);
			else if (season_kind == COMPONENT_MULTIPLIED)
				s[j] += gamma * (value / (classic ? l : q) - s[j]);
		}
		if (season_kind != COMPONENT_NONE)
			j = j + 1 == period ? 0 : j + 1;
	}
	run->level = l;
	run->trend = b;
	run->next = j;
	*squares = sum;
	*log_mean = multiplied_error && used > 0 ? (logs + log(product)) / used : 0;
	*count = used;
	return isfinite(sum);
}

/* The loop is compiled for each shape apart. */
static bool
run_over(Run *run, const double *y, int n, int start, double *errors, double *fitted,
		 double *squares, double *log_mean, int *count)
{
#define CASE(e, t, s) \
	case (e) * 9 + (t) * 3 + (s): \
		return run_shape(run, y, n, start, errors, fitted, squares, log_mean, count, (e) != 0, (t), (s))
#define CASES(e, t) CASE(e, t, COMPONENT_NONE); CASE(e, t, COMPONENT_ADDED); CASE(e, t, COMPONENT_MULTIPLIED)

	switch ((run->shape.error == COMPONENT_MULTIPLIED) * 9 + run->shape.trend * 3 + run->shape.season)
	{
			CASES(0, COMPONENT_NONE);
			CASES(0, COMPONENT_ADDED);
			CASES(0, COMPONENT_MULTIPLIED);
			CASES(1, COMPONENT_NONE);
			CASES(1, COMPONENT_ADDED);
			CASES(1, COMPONENT_MULTIPLIED);
	}
	return false;
#undef CASE
#undef CASES
}

/*
 * The search
 */

/* Sets up a run from the numbers of a search. */
static void
prepare(const Search *search, const double *x, Run *run)
{
	double		number[FREE_SEASONAL];
	double		sum = 0;
	bool		seasonals_free = false;

	memcpy(number, search->at_start, sizeof(number));
	if (search->shape.season != COMPONENT_NONE)
		memcpy(search->ring, search->seasonals, search->period * sizeof(double));
	for (int i = 0; i < search->n_free; i++)
	{
		int			which = search->which[i];

		if (which < FREE_SEASONAL)
			number[which] = x[i];
		else
		{
			search->ring[which - FREE_SEASONAL] = x[i];
			sum += x[i];
			seasonals_free = true;
		}
	}
	/* they are as many as are free, and one that makes their mean 0 or 1 */
	if (seasonals_free)
		search->ring[search->period - 1] =
			(search->shape.season == COMPONENT_MULTIPLIED ? search->period : 0) - sum;

	run->shape = search->shape;
	run->period = search->period;
	run->alpha = number[FREE_ALPHA];
	run->beta_star = number[FREE_BETA];
	run->gamma = search->shape.classic ? number[FREE_GAMMA] : number[FREE_GAMMA] * (1 - number[FREE_ALPHA]);
	run->phi = number[FREE_PHI];
	run->level = number[FREE_LEVEL];
	run->trend = number[FREE_TREND];
	run->seasonals = search->ring;
	run->next = search->start % search->period;
}

/* The residuals at x and their sum of squares, which is infinite where there is no model. */
static double
residuals_at(const Search *search, const double *x, double *residuals)
{
	Run			run;
	double		squares,
				log_mean,
				g;
	int			count;

	prepare(search, x, &run);
	if (!run_over(&run, search->y, search->n, search->start, residuals, NULL, &squares, &log_mean, &count))
		return INFINITY;
	g = exp(log_mean);
	if (residuals != NULL && g != 1)
		for (int t = search->start; t < search->n; t++)
			residuals[t] *= g;
	return squares * g * g;
}

/* Solves a x = b in place, a symmetric and positive; false where it is not. */
static bool
solve(double *a, double *b, int n)
{
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j <= i; j++)
		{
			double		sum = a[i * n + j];

			for (int k = 0; k < j; k++)
				sum -= a[i * n + k] * a[j * n + k];
			if (i == j)
			{
				if (!(sum > 0))
					return false;
				a[i * n + i] = sqrt(sum);
			}
			else
				a[i * n + j] = sum / a[j * n + j];
		}
	}
	for (int i = 0; i < n; i++)
	{
		for (int k = 0; k < i; k++)
			b[i] -= a[i * n + k] * b[k];
		b[i] /= a[i * n + i];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < n; k++)
			b[i] -= a[k * n + i] * b[k];
		b[i] /= a[i * n + i];
	}
	return true;
}

/* Moves x to where the sum of squares is least, as far as steps downhill lead. */
static double
descend(const Search *search, double *x, double tolerance)
{
	int			d = search->n_free;
	int			n = search->n;
	double		best;
	double		lambda = 1e-2;
	double	   *r = palloc(n * sizeof(double));
	double	   *r_moved = palloc(n * sizeof(double));
	double	   *jacobian = palloc((Size) n * d * sizeof(double) + 1);
	double	   *normal = palloc((Size) d * d * sizeof(double) + 1);
	double	   *damped = palloc((Size) d * d * sizeof(double) + 1);
	double	   *gradient = palloc(d * sizeof(double) + 1);
	double	   *step = palloc(d * sizeof(double) + 1);
	double	   *moved = palloc(d * sizeof(double) + 1);
	int		   *active = palloc(d * sizeof(int) + 1);

	best = residuals_at(search, x, r);
	for (int iteration = 0; isfinite(best) && best > 0 && iteration < MAX_ITERATIONS; iteration++)
	{
		int			n_active = 0;
		double		before = best;
		bool		improved = false;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < d; i++)
		{
			double		kept = x[i];
			double		h = 1e-6 * Max(fabs(kept), 0.1);
			double		slope = 0;
			double	   *column = jacobian + (Size) n_active * n;

			if (kept + h > search->high[i])
				h = -h;
			x[i] = kept + h;
			if (!isfinite(residuals_at(search, x, column)))
			{
				h = -h;
				x[i] = kept + h;
				if (x[i] < search->low[i] || x[i] > search->high[i] ||
					!isfinite(residuals_at(search, x, column)))
				{
					x[i] = kept;
					continue;
				}
			}
			x[i] = kept;
			for (int t = search->start; t < n; t++)
			{
				if (isnan(r[t]))
					column[t] = 0;
				else
				{
					column[t] = (column[t] - r[t]) / h;
					slope += column[t] * r[t];
				}
			}
			/* at a bound, with the way down behind it: stays there */
			if ((kept <= search->low[i] && slope > 0) || (kept >= search->high[i] && slope < 0))
				continue;
			gradient[n_active] = slope;
			active[n_active++] = i;
		}
		if (n_active == 0)
			break;
		for (int i = 0; i < n_active; i++)
			for (int j = 0; j <= i; j++)
			{
				const double *a = jacobian + (Size) i * n;
				const double *b = jacobian + (Size) j * n;
				double		sum = 0;

				for (int t = search->start; t < n; t++)
					sum += a[t] * b[t];
				normal[i * n_active + j] = normal[j * n_active + i] = sum;
			}

		for (int attempt = 0; attempt < 12; attempt++)
		{
			double		squares;

			memcpy(damped, normal, (Size) n_active * n_active * sizeof(double));
			for (int i = 0; i < n_active; i++)
			{
				damped[i * n_active + i] += lambda * normal[i * n_active + i] + 1e-300;
				step[i] = -gradient[i];
			}
			if (solve(damped, step, n_active))
			{
				memcpy(moved, x, d * sizeof(double));
				for (int i = 0; i < n_active; i++)
				{
					int			at = active[i];

					moved[at] = Min(Max(x[at] + step[i], search->low[at]), search->high[at]);
				}
				squares = residuals_at(search, moved, r_moved);
				if (squares < best)
				{
					double	   *swap = r;

					best = squares;
					memcpy(x, moved, d * sizeof(double));
					r = r_moved;
					r_moved = swap;
					lambda = Max(lambda / 8, 1e-9);
					improved = true;
					break;
				}
			}
			lambda *= 6;
		}
		if (!improved || before - best <= tolerance * before)
			break;
	}
	pfree(r);
	pfree(r_moved);
	pfree(jacobian);
	pfree(normal);
	pfree(damped);
	pfree(gradient);
	pfree(step);
	pfree(moved);
	pfree(active);
	return best;
}

/*
 * Where a search begins
 */

/* The values with those that are not known put on straight lines between the others. */
static double *
bridged(const double *y, int n)
{
	double	   *filled = palloc(n * sizeof(double));
	int			before = -1;

	for (int t = 0; t <= n; t++)
	{
		if (t < n && isnan(y[t]))
			continue;
		for (int g = before + 1; g < t; g++)
		{
			if (before < 0)
				filled[g] = y[t];
			else if (t == n)
				filled[g] = y[before];
			else
				filled[g] = y[before] + (y[t] - y[before]) * (g - before) / (t - before);
		}
		if (t < n)
			filled[t] = y[t];
		before = t;
	}
	return filled;
}

/* The moving average of a season, centred; NaN at the ends. */
static double *
centred_average(const double *y, int n, int period)
{
	double	   *average = palloc(n * sizeof(double));
	int			half = period / 2;

	for (int t = 0; t < n; t++)
	{
		double		sum = 0;

		if (t < half || t + half >= n)
		{
			average[t] = NAN;
			continue;
		}
		/* an even season has its two ends in it by half each */
		for (int i = t - half; i <= t + half; i++)
			sum += y[i] * (period % 2 == 0 && (i == t - half || i == t + half) ? 0.5 : 1);
		average[t] = sum / period;
	}
	return average;
}

/* Classical decomposition: the seasonal index, with mean 0 or 1; that of y[0] first. */
static bool
seasonal_index(const double *y, int n, int period, Component kind, double *index, double *average)
{
	double		mean = 0;

	for (int j = 0; j < period; j++)
	{
		double		sum = 0;
		int			count = 0;

		for (int t = j; t < n; t += period)
			if (!isnan(average[t]))
			{
				if (kind == COMPONENT_MULTIPLIED && !(average[t] > 0))
					return false;
				sum += kind == COMPONENT_MULTIPLIED ? y[t] / average[t] : y[t] - average[t];
				count++;
			}
		if (count == 0)
			return false;
		index[j] = sum / count;
		mean += index[j] / period;
	}
	for (int j = 0; j < period; j++)
	{
		index[j] = kind == COMPONENT_MULTIPLIED ? index[j] / mean : index[j] - mean;
		if (kind == COMPONENT_MULTIPLIED && !(index[j] > 1e-6))
			return false;
	}
	return true;
}

/* The straight line of least squares through y[0], y[1], ... at 1, 2, ...; NaN left out. */
static void
line_through(const double *y, int n, double *intercept, double *slope)
{
	double		st = 0,
				sy = 0,
				stt = 0,
				sty = 0;
	int			count = 0;

	for (int i = 0; i < n; i++)
		if (!isnan(y[i]))
		{
			count++;
			st += count;
			sy += y[i];
			stt += (double) count * count;
			sty += count * y[i];
		}
	*slope = count > 1 ? (sty - st * sy / count) / (stt - st * st / count) : 0;
	*intercept = count > 0 ? (sy - *slope * st) / count : 0;
}

/* States to begin with; those of R's HoltWinters for classic shapes. */
static bool
starting_states(SmoothShape shape, const double *y, int n, int period, double *level, double *trend,
				double *seasonals, int *start)
{
	double	   *filled = bridged(y, n);
	bool		possible = true;

	*start = 0;
	if (shape.season != COMPONENT_NONE)
	{
		int			stretch = shape.classic ? 2 * period : Min(n, Max(2 * period, 5 * period));
		double	   *average;

		if (n < 2 * period)
			return false;
		stretch = Min(stretch, n);
		average = centred_average(filled, stretch, period);
		possible = seasonal_index(filled, stretch, period, shape.season, seasonals, average);
		if (possible && shape.classic)
		{
			line_through(average, stretch, level, trend);
			*start = period;
		}
		else if (possible)
		{
			int			head = Min(n, Max(10, 2 * period));

			for (int t = 0; t < head; t++)
				filled[t] = shape.season == COMPONENT_MULTIPLIED ? filled[t] / seasonals[t % period] : filled[t] - seasonals[t % period];
			line_through(filled, head, level, trend);
		}
		pfree(average);
	}
	else if (shape.classic)
	{
		*start = shape.trend == COMPONENT_NONE ? 1 : 2;
		if (n < *start)
			return false;
		*level = filled[*start - 1];
		*trend = *start == 2 ? (shape.trend == COMPONENT_MULTIPLIED ? filled[1] / filled[0] : filled[1] - filled[0]) : 0;
	}
	else
		line_through(filled, Min(n, 10), level, trend);

	if (!shape.classic)
	{
		if (shape.trend == COMPONENT_NONE)
		{
			double		sum = 0;
			int			head = Min(n, Max(10, shape.season == COMPONENT_NONE ? 10 : 2 * period));

			for (int t = 0; t < head; t++)
				sum += filled[t];
			*level = sum / head;
		}
		else if (shape.trend == COMPONENT_MULTIPLIED)
		{
			*trend = *level > 0 && *level + *trend > 0 ? (*level + *trend) / *level : 1;
			possible = possible && *level > 0;
		}
		if ((shape.season == COMPONENT_MULTIPLIED || shape.error == COMPONENT_MULTIPLIED) && !(*level > 0))
		{
			*level = fabs(filled[0]) > 0 ? fabs(filled[0]) : 1;
			*trend = shape.trend == COMPONENT_MULTIPLIED ? 1 : 0;
		}
	}
	pfree(filled);
	return possible;
}

/* A power of two near the mean size of the values. */
static double
unit_of(const double *y, int n)
{
	double		sum = 0;
	int			count = 0;
	int			exponent;

	for (int t = 0; t < n; t++)
		if (!isnan(y[t]))
		{
			sum += fabs(y[t]) / n;
			count++;
		}
	if (!(sum > 0) || count == 0)
		return 1;
	frexp(sum * n / count, &exponent);
	return ldexp(1, exponent);
}

/* What a model's last run tells of it. */
static void
finish(SmoothFit *fit, const Search *search, const double *x, double unit)
{
	Run			run;
	double		squares,
				log_mean;
	int			k = fit->n_parameters;
	double		n;
	double		factor = fit->shape.error == COMPONENT_MULTIPLIED ? 1 : unit;
	int			period = search->period;

	prepare(search, x, &run);
	fit->alpha = run.alpha;
	fit->beta_star = run.beta_star;
	fit->gamma = run.gamma;
	fit->phi = run.phi;
	fit->start = search->start;
	fit->seasonals = palloc0(period * sizeof(double));
	fit->errors = palloc(search->n * sizeof(double));
	fit->fitted = palloc(search->n * sizeof(double));
	for (int t = 0; t < search->start; t++)
		fit->errors[t] = fit->fitted[t] = NAN;
	(void) run_over(&run, search->y, search->n, search->start, fit->errors, fit->fitted, &squares, &log_mean, &fit->n_errors);
	fit->level = run.level * unit;
	fit->trend = run.trend * (fit->shape.trend == COMPONENT_MULTIPLIED ? 1 : unit);
	if (fit->shape.season != COMPONENT_NONE)
		for (int j = 0; j < period; j++)
			fit->seasonals[j] = run.seasonals[(run.next + j) % period] * (fit->shape.season == COMPONENT_MULTIPLIED ? 1 : unit);
	fit->sse = 0;
	for (int t = search->start; t < search->n; t++)
	{
		if (!isnan(search->y[t]))
		{
			double		e = search->y[t] - fit->fitted[t];

			fit->sse += e * e;
		}
		fit->errors[t] *= factor;
		fit->fitted[t] *= unit;
	}
	fit->sse *= unit * unit;
	n = fit->n_errors;
	fit->scale = n > 0 ? sqrt(squares / Max(n - (k - 1), 1)) * factor : NAN;

	/*
	 * a perfect fit is one to twelve digits: which of several is, does not
	 * matter
	 */
	fit->log_likelihood = -0.5 * n * (log(Max(squares, n * 1e-24)) + 2 * log_mean) - n * log(unit);
	fit->aic = -2 * fit->log_likelihood + 2 * k;
	fit->aicc = n - k - 1 > 0 ? fit->aic + 2.0 * k * (k + 1) / (n - k - 1) : INFINITY;
	fit->bic = -2 * fit->log_likelihood + k * log(n);
}

static double
given_or(double given, double otherwise)
{
	return isnan(given) ? otherwise : given;
}

/*
 * Fits a shape to the values, of which some may be NaN: not known.  False where
 * it cannot be fitted.  The seasonal states before the first value are searched
 * for only where that is asked for: there are many of them.
 */
bool
smooth_fit(SmoothFit *fit, SmoothShape shape, const double *values, int n, int period,
		   const SmoothFixed *fixed, bool fit_seasonals)
{
	static const double start_weights[][3] = {{0.5, 0.1, 0.1}, {0.1, 0.05, 0.3}, {0.9, 0.02, 0.05}};
	SmoothFixed none = {NAN, NAN, NAN, NAN, NAN, NAN, NULL};
	double		unit = unit_of(values, n);
	double	   *y = palloc(n * sizeof(double));
	Search		search;
	double	   *x,
			   *best_x;
	double		best = INFINITY;
	double		least = shape.classic ? 0 : LEAST_WEIGHT;
	double		most = shape.classic ? 1 : MOST_WEIGHT;
	bool		states_free;
	bool		seasonal = shape.season != COMPONENT_NONE;
	double		level = 0,
				trend = 0;

	if (fixed == NULL)
		fixed = &none;
	if (!seasonal)
		period = 1;
	for (int t = 0; t < n; t++)
		y[t] = values[t] / unit;
	memset(&search, 0, sizeof(search));
	search.shape = shape;
	search.period = period;
	search.y = y;
	search.n = n;
	search.seasonals = palloc0(period * sizeof(double));
	search.ring = palloc0(period * sizeof(double));
	search.which = palloc((FREE_SEASONAL + period) * sizeof(int));
	search.low = palloc((FREE_SEASONAL + period) * sizeof(double));
	search.high = palloc((FREE_SEASONAL + period) * sizeof(double));

	if (isnan(fixed->level) || (shape.trend != COMPONENT_NONE && isnan(fixed->trend)) || (seasonal && fixed->seasonals == NULL))
	{
		if (!starting_states(shape, y, n, period, &level, &trend, search.seasonals, &search.start))
			return false;
	}
	if (!isnan(fixed->level))
	{
		level = fixed->level / unit;
		search.start = 0;
	}
	if (!isnan(fixed->trend))
		trend = fixed->trend / (shape.trend == COMPONENT_MULTIPLIED ? 1 : unit);
	if (fixed->seasonals != NULL && seasonal)
		for (int j = 0; j < period; j++)
			search.seasonals[j] = fixed->seasonals[j] / (shape.season == COMPONENT_MULTIPLIED ? 1 : unit);

#define ADD_FREE(number, lowest, highest) \
	(search.which[search.n_free] = (number), search.low[search.n_free] = (lowest), search.high[search.n_free++] = (highest))

	search.at_start[FREE_ALPHA] = given_or(fixed->alpha, 0.5);
	if (isnan(fixed->alpha))
		ADD_FREE(FREE_ALPHA, least, most);
	if (shape.trend != COMPONENT_NONE)
	{
		search.at_start[FREE_BETA] = given_or(fixed->beta, 0.1);
		if (!isnan(fixed->beta) && !shape.classic)
			search.at_start[FREE_BETA] = search.at_start[FREE_ALPHA] > 0 ? fixed->beta / search.at_start[FREE_ALPHA] : 0;
		if (isnan(fixed->beta))
			ADD_FREE(FREE_BETA, least, most);
	}
	if (seasonal)
	{
		search.at_start[FREE_GAMMA] = given_or(fixed->gamma, 0.1);
		if (!isnan(fixed->gamma) && !shape.classic)
			search.at_start[FREE_GAMMA] = search.at_start[FREE_ALPHA] < 1 ? fixed->gamma / (1 - search.at_start[FREE_ALPHA]) : 0;
		if (isnan(fixed->gamma))
			ADD_FREE(FREE_GAMMA, least, most);
	}
	search.at_start[FREE_PHI] = shape.damped ? given_or(fixed->phi, 0.97) : 1;
	if (shape.damped && isnan(fixed->phi))
		ADD_FREE(FREE_PHI, LEAST_PHI, MOST_PHI);
	search.at_start[FREE_LEVEL] = level;
	search.at_start[FREE_TREND] = trend;
	/* R's HoltWinters takes its first states for given */
	states_free = !shape.classic;
	fit->n_parameters = search.n_free + 1;
	if (states_free && isnan(fixed->level))
	{
		ADD_FREE(FREE_LEVEL, -INFINITY, INFINITY);
		fit->n_parameters++;
	}
	if (states_free && shape.trend != COMPONENT_NONE && isnan(fixed->trend))
	{
		ADD_FREE(FREE_TREND, -INFINITY, INFINITY);
		fit->n_parameters++;
	}
	if (states_free && seasonal && fixed->seasonals == NULL)
	{
		fit->n_parameters += period - 1;
		if (fit_seasonals)
			for (int j = 0; j + 1 < period; j++)
				ADD_FREE(FREE_SEASONAL + j, -INFINITY, INFINITY);
	}
#undef ADD_FREE

	x = palloc(search.n_free * sizeof(double) + 1);
	best_x = palloc(search.n_free * sizeof(double) + 1);
	for (int s = 0; s < lengthof(start_weights); s++)
	{
		double		reached;

		for (int i = 0; i < search.n_free; i++)
		{
			int			which = search.which[i];

			x[i] = which <= FREE_GAMMA ? start_weights[s][which]
				: which < FREE_SEASONAL ? search.at_start[which]
				: search.seasonals[which - FREE_SEASONAL];
		}
		reached = descend(&search, x, ROUGH);
		if (reached < best)
		{
			best = reached;
			memcpy(best_x, x, search.n_free * sizeof(double));
		}
		if (search.n_free == 0)
			break;
	}
	if (isfinite(best))
	{
		if (search.n_free > 0)
			best = descend(&search, best_x, FINE);
		fit->shape = shape;
		fit->period = period;
		finish(fit, &search, best_x, unit);
	}
	pfree(x);
	pfree(best_x);
	pfree(y);
	pfree(search.seasonals);
	pfree(search.ring);
	pfree(search.which);
	pfree(search.low);
	pfree(search.high);
	return isfinite(best);
}

/*
 * Choosing
 */

static void
free_fit(SmoothFit *fit)
{
	pfree(fit->seasonals);
	pfree(fit->errors);
	pfree(fit->fitted);
}

static bool
all_positive(const double *y, int n)
{
	for (int t = 0; t < n; t++)
		if (y[t] <= 0)
			return false;
	return true;
}

/* How many of the first models are fitted anew with all their states. */
#define N_REFINED 3

/*
 * The model with the least AICc: every one whose error may be added or
 * multiplied, its trend none, added or damped, its season as the series allows.
 * As in R, an added error does not go with a multiplied season: its variance
 * would be unbounded.  Each is first fitted with seasonal states of the
 * decomposition; the best few again with fitted ones.
 */
bool
smooth_choose(SmoothFit *best, const double *y, int n, int period)
{
	bool		positive = all_positive(y, n);
	bool		seasonal = period > 1 && n >= 2 * period;
	SmoothFit	found[18];
	int			order[18] = {0};
	int			count = 0;

	for (int error = COMPONENT_ADDED; error <= COMPONENT_MULTIPLIED; error++)
		for (int trend = 0; trend < 3; trend++)
			for (int season = COMPONENT_NONE; season <= COMPONENT_MULTIPLIED; season++)
			{
				SmoothShape shape = {error, trend > 0 ? COMPONENT_ADDED : COMPONENT_NONE, season, trend == 2, false};

				if ((error == COMPONENT_MULTIPLIED && !positive) ||
					(season == COMPONENT_MULTIPLIED && error == COMPONENT_ADDED) ||
					(season != COMPONENT_NONE && !seasonal))
					continue;
				if (smooth_fit(&found[count], shape, y, n, period, NULL, false))
				{
					if (isfinite(found[count].aicc))
						count++;
					else
						free_fit(&found[count]);
				}
			}
	if (count == 0)
		return false;
	for (int i = 0; i < count; i++)
	{
		int			j = i;

		for (; j > 0 && found[order[j - 1]].aicc > found[i].aicc; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
	for (int i = 0; i < Min(count, N_REFINED); i++)
	{
		SmoothFit	refined;
		SmoothFit  *coarse = &found[order[i]];

		if (coarse->shape.season != COMPONENT_NONE &&
			smooth_fit(&refined, coarse->shape, y, n, period, NULL, true))
		{
			if (refined.aicc < coarse->aicc)
			{
				free_fit(coarse);
				*coarse = refined;
			}
			else
				free_fit(&refined);
		}
	}
	*best = found[order[0]];
	for (int i = 1; i < Min(count, N_REFINED); i++)
		if (found[order[i]].aicc < best->aicc)
			*best = found[order[i]];
	for (int i = 0; i < count; i++)
		if (found[i].errors != best->errors)
			free_fit(&found[i]);
	return true;
}

/* The value of a season before; with a period of 1 the last value. */
void
smooth_seasonal_naive(SmoothFit *fit, const double *y, int n, int period)
{
	SmoothShape shape = {COMPONENT_ADDED, COMPONENT_NONE, period > 1 ? COMPONENT_ADDED : COMPONENT_NONE, false, false};
	double	   *filled = bridged(y, n);

	memset(fit, 0, sizeof(*fit));
	fit->shape = shape;
	fit->period = period;
	fit->alpha = period > 1 ? 0 : 1;
	fit->gamma = period > 1 ? 1 : 0;
	fit->phi = 1;
	fit->start = Min(period, n);
	fit->seasonals = palloc0(period * sizeof(double));
	fit->errors = palloc(n * sizeof(double));
	fit->fitted = palloc(n * sizeof(double));
	fit->n_parameters = 1;
	for (int t = 0; t < n; t++)
	{
		fit->fitted[t] = t < period ? NAN : filled[t - period];
		fit->errors[t] = t < period ? NAN : y[t] - filled[t - period];
		if (!isnan(fit->errors[t]))
		{
			fit->sse += fit->errors[t] * fit->errors[t];
			fit->n_errors++;
		}
	}
	if (period > 1)
		memcpy(fit->seasonals, filled + n - period, period * sizeof(double));
	else
		fit->level = filled[n - 1];
	fit->scale = fit->n_errors > 0 ? sqrt(fit->sse / fit->n_errors) : NAN;
	fit->log_likelihood = fit->aic = fit->aicc = fit->bic = NAN;
	pfree(filled);
}

void
smooth_single(SmoothForecast *forecast, const double *y, int n, const SmoothFit *fit)
{
	memset(forecast, 0, sizeof(*forecast));
	forecast->n = n;
	forecast->values = y;
	forecast->period = fit->period;
	forecast->n_models = 1;
	forecast->models[0] = *fit;
	forecast->fitted = fit->fitted;
}

/*
 * Whether values a season apart go together more than chance would have it, by
 * the autocorrelation at the season (the test of the M4 competition, at 90 %),
 * after the trend has been taken out by differences.
 */
bool
smooth_is_seasonal(const double *values, int n, int period)
{
	double	   *y;
	double		mean = 0;
	double		variance = 0;
	double		limit = 1;
	double		at_period = 0;

	if (period < 2 || n < 3 * period)
		return false;
	y = bridged(values, n);
	for (int t = 0; t < n; t++)
		mean += y[t] / n;
	for (int t = 0; t < n; t++)
		variance += (y[t] - mean) * (y[t] - mean);
	for (int lag = 1; lag <= period && variance > 0; lag++)
	{
		double		sum = 0;

		for (int t = lag; t < n; t++)
			sum += (y[t] - mean) * (y[t - lag] - mean);
		sum /= variance;
		if (lag < period)
			limit += 2 * sum * sum;
		else
			at_period = sum;
	}
	pfree(y);
	return variance > 0 && at_period > 1.645 * sqrt(limit / n);
}

/*
 * The mean of simple, Holt's and damped exponential smoothing, of a series freed
 * of its season by classical decomposition where it has one: "Comb", the
 * combination of Makridakis and Hibon (2000), a benchmark of their competitions.
 */
bool
smooth_combine(SmoothForecast *forecast, const double *y, int n, int period)
{
	static const SmoothShape parts[] = {
		{COMPONENT_ADDED, COMPONENT_NONE, COMPONENT_NONE, false, false},
		{COMPONENT_ADDED, COMPONENT_ADDED, COMPONENT_NONE, false, false},
		{COMPONENT_ADDED, COMPONENT_ADDED, COMPONENT_NONE, true, false},
	};
	double	   *free_of_season = palloc(n * sizeof(double));

	memset(forecast, 0, sizeof(*forecast));
	forecast->n = n;
	forecast->values = y;
	forecast->period = period;
	memcpy(free_of_season, y, n * sizeof(double));
	if (smooth_is_seasonal(y, n, period))
	{
		double	   *filled = bridged(y, n);
		double	   *average = centred_average(filled, n, period);

		forecast->index = palloc(period * sizeof(double));
		forecast->index_kind = all_positive(y, n) ? COMPONENT_MULTIPLIED : COMPONENT_ADDED;
		if (forecast->index_kind == COMPONENT_MULTIPLIED &&
			!seasonal_index(filled, n, period, COMPONENT_MULTIPLIED, forecast->index, average))
			forecast->index_kind = COMPONENT_ADDED;
		if (forecast->index_kind == COMPONENT_ADDED &&
			!seasonal_index(filled, n, period, COMPONENT_ADDED, forecast->index, average))
			forecast->index_kind = COMPONENT_NONE;
		for (int t = 0; t < n && forecast->index_kind != COMPONENT_NONE; t++)
			if (forecast->index_kind == COMPONENT_MULTIPLIED)
				free_of_season[t] /= forecast->index[t % period];
			else
				free_of_season[t] -= forecast->index[t % period];
		pfree(filled);
		pfree(average);
	}
	for (int i = 0; i < lengthof(parts); i++)
		if (smooth_fit(&forecast->models[forecast->n_models], parts[i], free_of_season, n, 1, NULL, false))
			forecast->n_models++;
	forecast->fitted = palloc(n * sizeof(double));
	for (int t = 0; t < n; t++)
	{
		double		sum = 0;

		for (int i = 0; i < forecast->n_models; i++)
			sum += forecast->models[i].fitted[t];
		sum /= forecast->n_models;
		if (forecast->index_kind == COMPONENT_MULTIPLIED)
			sum *= forecast->index[t % period];
		else if (forecast->index_kind == COMPONENT_ADDED)
			sum += forecast->index[t % period];
		forecast->fitted[t] = sum;
	}
	pfree(free_of_season);
	return forecast->n_models > 0;
}

/*
 * Forecasting
 */

/* What a model expects next, given its states; "kept" is its trend carried on. */
static double
expect(const SmoothFit *fit, double level, double trend, double seasonal, double *q, double *kept)
{
	*kept = 0;
	*q = level;
	if (fit->shape.trend == COMPONENT_ADDED)
	{
		*kept = fit->phi * trend;
		*q = level + *kept;
	}
	else if (fit->shape.trend == COMPONENT_MULTIPLIED)
	{
		*kept = pow(Max(trend, 0), fit->phi);
		*q = level * *kept;
	}
	if (fit->shape.season == COMPONENT_ADDED)
		return *q + seasonal;
	if (fit->shape.season == COMPONENT_MULTIPLIED)
		return *q * seasonal;
	return *q;
}

static double
with_index(const SmoothForecast *forecast, int step, double value)
{
	if (forecast->index_kind == COMPONENT_MULTIPLIED)
		return value * forecast->index[(forecast->n + step) % forecast->period];
	if (forecast->index_kind == COMPONENT_ADDED)
		return value + forecast->index[(forecast->n + step) % forecast->period];
	return value;
}

/* The forecasts: every model goes on without errors, and their mean is taken. */
void
smooth_mean(const SmoothForecast *forecast, int horizon, double *mean)
{
	memset(mean, 0, horizon * sizeof(double));
	for (int i = 0; i < forecast->n_models; i++)
	{
		const SmoothFit *fit = &forecast->models[i];
		double		level = fit->level;
		double		trend = fit->trend;

		for (int h = 0; h < horizon; h++)
		{
			double		q,
						kept;

			mean[h] += expect(fit, level, trend, fit->seasonals[h % fit->period], &q, &kept) / forecast->n_models;
			level = q;
			trend = kept;
		}
	}
	for (int h = 0; h < horizon; h++)
		mean[h] = with_index(forecast, h, mean[h]);
}

static uint64
rotated(uint64 x, int k)
{
	return (x << k) | (x >> (64 - k));
}

/* By SplitMix64 (Steele, Lea and Flood 2014). */
void
smooth_seed(SmoothRandom *random, uint64 seed)
{
	for (int i = 0; i < 4; i++)
	{
		uint64		z = (seed += UINT64CONST(0x9E3779B97F4A7C15));

		z = (z ^ (z >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
		z = (z ^ (z >> 27)) * UINT64CONST(0x94D049BB133111EB);
		random->state[i] = z ^ (z >> 31);
	}
	random->has_spare = false;
}

/* In [0, 1). */
static double
next_uniform(SmoothRandom *random)
{
	uint64	   *s = random->state;
	uint64		result = rotated(s[1] * 5, 7) * 9;
	uint64		t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotated(s[3], 45);
	return (result >> 11) * (1.0 / UINT64CONST(9007199254740992));
}

/* By the polar method of Marsaglia (1964). */
static double
next_normal(SmoothRandom *random)
{
	double		u,
				v,
				s;

	if (random->has_spare)
	{
		random->has_spare = false;
		return random->spare;
	}
	do
	{
		u = 2 * next_uniform(random) - 1;
		v = 2 * next_uniform(random) - 1;
		s = u * u + v * v;
	} while (s >= 1 || s == 0);
	s = sqrt(-2 * log(s) / s);
	random->spare = v * s;
	random->has_spare = true;
	return u * s;
}

/*
 * One way that the series may go on: path "number" is of one of the models in
 * turn.  Its errors are normal, and their standard deviation is drawn too, as
 * what a few values tell of it is little: together they are Student's t.
 */
void
smooth_path(const SmoothForecast *forecast, int number, SmoothRandom *random, int horizon, double *path)
{
	const SmoothFit *fit = &forecast->models[number % forecast->n_models];
	double		scale = fit->scale;
	double		level = fit->level;
	double		trend = fit->trend;
	int			freedom = Max(fit->n_errors - (fit->n_parameters - 1), 1);
	int			period = fit->period;
	double	   *seasonals = NULL;
	double		chi_squared = 0;

	if (freedom <= 100)
	{
		for (int i = 0; i < freedom; i++)
		{
			double		z = next_normal(random);

			chi_squared += z * z;
		}
		scale *= sqrt(freedom / chi_squared);
	}
	if (fit->shape.season != COMPONENT_NONE)
	{
		seasonals = palloc(period * sizeof(double));
		memcpy(seasonals, fit->seasonals, period * sizeof(double));
	}
	for (int h = 0; h < horizon; h++)
	{
		double		s = seasonals != NULL ? seasonals[h % period] : 0;
		double		q,
					kept;
		double		mu = expect(fit, level, trend, s, &q, &kept);
		double		e = scale * next_normal(random);

		/* what is multiplied stays above zero */
		double		value = fit->shape.error == COMPONENT_MULTIPLIED ? mu * Max(1 + e, 1e-6) : mu + e;
		double		before = level;

		path[h] = with_index(forecast, h, value);
		level = q + fit->alpha * ((fit->shape.season == COMPONENT_ADDED ? value - s
								   : fit->shape.season == COMPONENT_MULTIPLIED ? value / s : value) - q);
		if (fit->shape.trend == COMPONENT_ADDED)
			trend = kept + fit->beta_star * (level - before - kept);
		else if (fit->shape.trend == COMPONENT_MULTIPLIED)
			trend = kept + fit->beta_star * (level / before - kept);
		if (fit->shape.season == COMPONENT_ADDED)
			seasonals[h % period] += fit->gamma * (value - (fit->shape.classic ? level : q) - s);
		else if (fit->shape.season == COMPONENT_MULTIPLIED)
			seasonals[h % period] += fit->gamma * (value / (fit->shape.classic ? level : q) - s);
	}
	if (seasonals != NULL)
		pfree(seasonals);
}
