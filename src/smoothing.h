/*-------------------------------------------------------------------------
 *
 * smoothing.h
 *	  Exponential smoothing of a regular series: fitting, choosing, forecasting
 *	  and simulating.  Knows nothing of SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_SMOOTHING_H
#define TOKENOMICS_SMOOTHING_H

#include "compat.h"

/* How a component enters: not at all, added, or multiplied. */
typedef enum Component
{
	COMPONENT_NONE,
	COMPONENT_ADDED,
	COMPONENT_MULTIPLIED
} Component;

/* Which model of the family it is. */
typedef struct SmoothShape
{
	Component	error;			/* added or multiplied */
	Component	trend;
	Component	season;
	bool		damped;
	bool		classic;		/* Holt-Winters: the season follows the new
								 * level */
} SmoothShape;

/* What the user gives; NaN is what is to be fitted. */
typedef struct SmoothFixed
{
	double		alpha;
	double		beta;
	double		gamma;
	double		phi;
	double		level;			/* the states before the first value */
	double		trend;
	const double *seasonals;	/* as many as a season has periods, or NULL */
} SmoothFixed;

/* A model fitted to a series. */
typedef struct SmoothFit
{
	SmoothShape shape;
	int			period;			/* of its season; 1 without */
	double		alpha;
	double		beta_star;		/* beta / alpha */
	double		gamma;			/* of the recursion */
	double		phi;			/* 1 where not damped */
	double		level;			/* the states after the last value */
	double		trend;
	double	   *seasonals;		/* that of the next value first */
	int			start;			/* first value that is forecast */
	int			n_errors;		/* values that were there and forecast */
	int			n_parameters;	/* fitted, with states and the variance */
	double		sse;			/* of the one-step errors in units of the
								 * series */
	double		scale;			/* standard deviation of the model's errors */
	double		log_likelihood;
	double		aic;
	double		aicc;
	double		bic;
	double	   *errors;			/* of the model; NaN where there is none */
	double	   *fitted;			/* one-step forecasts; NaN likewise */
} SmoothFit;

/* One or more models whose mean is the forecast, behind a seasonal index. */
#define SMOOTH_MAX_MODELS 4
typedef struct SmoothForecast
{
	int			n;
	const double *values;		/* NaN: not known */
	int			period;
	Component	index_kind;
	double	   *index;			/* of the season, that of the first value
								 * first */
	int			n_models;
	SmoothFit	models[SMOOTH_MAX_MODELS];
	double	   *fitted;			/* of the whole, as the models'; NaN likewise */
} SmoothForecast;

/* The generator of the simulations: xoshiro256** of Blackman and Vigna (2018). */
typedef struct SmoothRandom
{
	uint64		state[4];
	double		spare;
	bool		has_spare;
} SmoothRandom;

extern bool smooth_fit(SmoothFit *fit, SmoothShape shape, const double *y, int n, int period,
					   const SmoothFixed *fixed, bool fit_seasonals);
extern bool smooth_choose(SmoothFit *best, const double *y, int n, int period);
extern void smooth_seasonal_naive(SmoothFit *fit, const double *y, int n, int period);
extern void smooth_single(SmoothForecast *forecast, const double *y, int n, const SmoothFit *fit);
extern bool smooth_is_seasonal(const double *y, int n, int period);
extern bool smooth_combine(SmoothForecast *forecast, const double *y, int n, int period);
extern void smooth_mean(const SmoothForecast *forecast, int horizon, double *mean);
extern void smooth_seed(SmoothRandom *random, uint64 seed);
extern void smooth_path(const SmoothForecast *forecast, int number, SmoothRandom *random,
						int horizon, double *path);

#endif							/* TOKENOMICS_SMOOTHING_H */
