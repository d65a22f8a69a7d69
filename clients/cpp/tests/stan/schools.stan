// Eight schools, and generated quantities of every kind of column that Stan writes.
data {
  int<lower=0> J;
  array[J] real y;
  array[J] real<lower=0> sigma;
}
parameters {
  real mu;
  real<lower=0> tau;
  vector[J] eta;
}
transformed parameters {
  vector[J] theta = mu + tau * eta;
}
model {
  mu ~ normal(0, 5);
  tau ~ cauchy(0, 5);
  eta ~ std_normal();
  y ~ normal(theta, sigma);
}
generated quantities {
  real x2 = normal_rng(mu, tau);
  array[J] int n = poisson_rng(rep_vector(exp(fmin(mu, 5)), J));
  matrix[2, 3] a;
  array[2] matrix[3, 2] b;
  complex z = to_complex(mu, -tau);
  array[2] complex_vector[3] v;
  tuple(real, vector[2]) t = (mu, [tau, -mu]');
  array[2] tuple(real, matrix[2, 3]) s;
  tuple(real, tuple(array[2] real, complex)) nest = (tau, ({mu, 1}, z));
  vector[0] none;
  for (i in 1 : 2) {
    for (j in 1 : 3) {
      a[i, j] = mu * i + j;
      b[1][j, i] = tau * i + 10 * j;
      b[2][j, i] = not_a_number();
      v[i][j] = to_complex(mu + i, j);
    }
    s[i] = (i * mu, a * i);
  }
}
